//! JSON as a test writes it: keys in any order, twice where the test wants it, numbers as they stand.

use serde_json::Value;

/// A JSON value.
#[derive(Clone, Debug)]
pub enum Json {
    /// Text that stands as it is: a number, `true`, `null`.
    Raw(String),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Vec<Member>),
}

/// A key and its value.
pub type Member = (String, Json);

impl Json {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        self.write(&mut text);
        text.into_bytes()
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Raw(raw) => text.push_str(raw),
            Self::Text(content) => text.push_str(&quoted(content)),
            Self::Array(items) => {
                text.push('[');
                for (at, item) in items.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { ", " });
                    item.write(text);
                }
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    text.push_str(if at == 0 { "\n" } else { ",\n" });
                    text.push_str(&quoted(key));
                    text.push(':');
                    value.write(text);
                }
                text.push('}');
            }
        }
    }

    /// How many objects stand in it that have members.
    pub fn count_objects(&self) -> usize {
        match self {
            Self::Raw(_) | Self::Text(_) => 0,
            Self::Array(items) => items.iter().map(Self::count_objects).sum(),
            Self::Object(members) => {
                usize::from(!members.is_empty())
                    + members.iter().map(|(_, value)| value.count_objects()).sum::<usize>()
            }
        }
    }

    /// The members of one of these objects, counted from the outermost.
    pub fn object(&mut self, mut at: usize) -> Option<&mut Vec<Member>> {
        let values: Vec<&mut Self> = match self {
            Self::Raw(_) | Self::Text(_) => return None,
            Self::Array(items) => items.iter_mut().collect(),
            Self::Object(members) => {
                if members.is_empty() || at == 0 {
                    return Some(members);
                }
                at -= 1;
                members.iter_mut().map(|(_, value)| value).collect()
            }
        };
        for value in values {
            let count = value.count_objects();
            if at < count {
                return value.object(at);
            }
            at -= count;
        }
        None
    }

    /// The members of the outermost object.
    pub fn members(&mut self) -> &mut Vec<Member> {
        match self {
            Self::Object(members) => members,
            other => unreachable!("no object: {other:?}"),
        }
    }

    /// The value of `key` in the outermost object.
    pub fn value(&mut self, key: &str) -> &mut Self {
        &mut self.members().iter_mut().find(|(found, _)| found == key).expect("the key is there").1
    }

    /// The same with `key` set to `value`, in place or behind the others.
    pub fn with(mut self, key: &str, value: Self) -> Self {
        match self.members().iter_mut().find(|(found, _)| found == key) {
            Some((_, old)) => *old = value,
            None => self.members().push((key.to_owned(), value)),
        }
        self
    }

    /// The same without `key`.
    pub fn without(mut self, key: &str) -> Self {
        self.members().retain(|(found, _)| found != key);
        self
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
