//! Arguments and columns in PostgreSQL's types.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use wharf_core::StoreError;

use crate::engine::{Kind, Result, Row, Value};

/// An argument with its type, so that no statement has to be prepared to find it out.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Arguments with their types.
pub(super) fn parameters(arguments: &[Value]) -> Vec<Parameter<'_>> {
    arguments.iter().map(|value| (value as &(dyn ToSql + Sync), type_of(value))).collect()
}

const fn type_of(value: &Value) -> Type {
    match value {
        Value::Int(_) | Value::Null(Kind::Int) => Type::INT8,
        Value::Text(_) | Value::Null(Kind::Text) => Type::TEXT,
        Value::Bytes(_) | Value::Null(Kind::Bytes) => Type::BYTEA,
        Value::Json(_) | Value::Null(Kind::Json) => Type::JSONB,
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null(_) => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(ty, out),
            Self::Text(text) if text.contains('\0') => text.replace('\0', "\u{1}").to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Json(document) => {
                // The version of the binary form, then the text.
                out.extend_from_slice(&[1]);
                out.extend_from_slice(without_nul(document).as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A JSON document with U+0001 for U+0000, which `jsonb` refuses.
fn without_nul(document: &str) -> std::borrow::Cow<'_, str> {
    if !document.contains("\\u0000") {
        return document.into();
    }
    let mut text = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        if let Some(behind) = escape.strip_prefix("\\u0000") {
            text.push_str("\\u0001");
            rest = behind;
        } else {
            // What follows a backslash is of the escape; JSON that was written here ends with none.
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            text.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    text.push_str(rest);
    text.into()
}

/// A row of a reply.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row> {
    (0..row.len()).map(|index| column(row, index)).collect::<Result<_>>().map(Row)
}

fn column(row: &tokio_postgres::Row, index: usize) -> Result<Value> {
    let given = row.columns().get(index).map(tokio_postgres::Column::type_).cloned();
    let given = given.unwrap_or(Type::UNKNOWN);
    let value = match given {
        Type::INT2 => row.try_get::<_, Option<i16>>(index).map(|it| it.map(i64::from).into()),
        Type::INT4 => row.try_get::<_, Option<i32>>(index).map(|it| it.map(i64::from).into()),
        Type::INT8 => row.try_get::<_, Option<i64>>(index).map(Value::from),
        Type::BOOL => row.try_get::<_, Option<bool>>(index).map(|it| it.map(i64::from).into()),
        Type::TEXT | Type::VARCHAR | Type::NAME => {
            row.try_get::<_, Option<String>>(index).map(Value::from)
        }
        Type::BYTEA => row
            .try_get::<_, Option<Vec<u8>>>(index)
            .map(|it| it.map_or(Value::Null(Kind::Bytes), Value::Bytes)),
        Type::JSON | Type::JSONB => row
            .try_get::<_, Option<Document>>(index)
            .map(|it| it.map_or(Value::Null(Kind::Json), |document| Value::Text(document.0))),
        other => return Err(StoreError::Corrupt(format!("a column has the type {other}"))),
    };
    value.map_err(|error| StoreError::Corrupt(format!("column {index}: {error}")))
}

/// A JSON document without the spaces that the database puts into it.
struct Document(String);

impl<'a> tokio_postgres::types::FromSql<'a> for Document {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        let text = match *ty {
            Type::JSONB => raw.strip_prefix(&[1]).ok_or("an unknown version of jsonb")?,
            _ => raw,
        };
        let document: serde_json::Value = serde_json::from_slice(text)?;
        Ok(Self(document.to_string()))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::JSON | Type::JSONB)
    }
}

#[cfg(test)]
mod tests {
    use super::without_nul;

    #[test]
    fn a_nul_in_json_is_replaced_and_nothing_else_is() {
        for (given, stored) in [
            (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
            (r#"{"a\u0000":"\u0000b\u0000"}"#, r#"{"a\u0001":"\u0001b\u0001"}"#),
            (r#"{"a":"\\u0000"}"#, r#"{"a":"\\u0000"}"#),
            (r#"{"a":"\\\u0000é\n"}"#, r#"{"a":"\\\u0001é\n"}"#),
        ] {
            assert_eq!(without_nul(given), stored);
        }
    }
}
