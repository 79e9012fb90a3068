//! What the registry says, on stdout: tables for eyes, tabs for other programs, or JSON; and on stderr what was done.

use std::io::{Write as _, stdout};

use anyhow::bail;
use serde::de::DeserializeOwned;
use wharf_client::Secret;
use wharf_client::management::{Answer, Pages};

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// Prints what the registry says.
pub struct Output {
    json: bool,
    /// Whether somebody looks at it.
    terminal: bool,
}

impl Output {
    pub const fn new(json: bool, terminal: bool) -> Self {
        Self { json, terminal }
    }

    /// Whether JSON is wanted.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a list, page by page: a registry may have millions of things.
    pub async fn list<T: DeserializeOwned, const N: usize>(
        &self,
        pages: Pages<T>,
        columns: [&str; N],
        row: impl Fn(T) -> [String; N],
    ) -> anyhow::Result<()> {
        self.list_some(pages, usize::MAX, columns, row).await
    }

    /// The same of no more than so many things.
    pub async fn list_some<T: DeserializeOwned, const N: usize>(
        &self,
        pages: Pages<T>,
        limit: usize,
        columns: [&str; N],
        row: impl Fn(T) -> [String; N],
    ) -> anyhow::Result<()> {
        let mut table = Table { widths: columns.map(str::len), header: Some(columns) };
        let mut pages = pages.of(limit);
        let mut told = 0;
        while told < limit
            && let Some(mut page) = pages.next().await?
        {
            page.truncate(limit - told);
            let before = told;
            told += page.len();
            if self.json {
                print_json(page.iter().map(Answer::json), before)?;
            } else {
                let rows = page.into_iter().map(|answer| row(answer.value).map(plain)).collect();
                self.print_rows(&mut table, rows)?;
            }
        }
        if self.json {
            writeln!(stdout(), "{}", if told == 0 { "[]" } else { "\n]" })?;
        }
        Ok(())
    }

    fn print_rows<const N: usize>(
        &self,
        table: &mut Table<'_, N>,
        rows: Vec<[String; N]>,
    ) -> anyhow::Result<()> {
        let mut out = stdout().lock();
        if !self.terminal {
            for row in rows {
                writeln!(out, "{}", row.join("\t"))?;
            }
            return Ok(());
        }
        for line in table.lines(&rows) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Prints a single thing.
    pub fn one<T>(&self, answer: &Answer<T>, fields: &[(&str, String)]) -> anyhow::Result<()> {
        let mut out = stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{}", answer.json())?);
        }
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in fields {
            let value = plain(value.clone());
            match self.terminal {
                true => writeln!(out, "{name:<width$}  {value}")?,
                false => writeln!(out, "{name}\t{value}")?,
            }
        }
        Ok(())
    }

    /// Prints one line.
    pub fn line(&self, text: &str) -> anyhow::Result<()> {
        Ok(writeln!(stdout(), "{}", plain(text.to_owned()))?)
    }

    /// Tells what was done; where JSON is wanted, prints what is there now.
    pub fn done<T>(&self, answer: &Answer<T>, what: &str) -> anyhow::Result<()> {
        tell(what);
        self.now(answer)
    }

    /// Prints what is there now, where JSON is wanted.
    pub fn now<T>(&self, answer: &Answer<T>) -> anyhow::Result<()> {
        if self.json {
            writeln!(stdout(), "{}", answer.json())?;
        }
        Ok(())
    }

    /// Prints a secret alone, so that it can go into a file, and tells beside it what it is. A reply without it comes
    /// to who asked before and lost the reply; `another` says how to get another one.
    pub fn secret<T>(
        &self,
        answer: &Answer<T>,
        secret: Option<&Secret>,
        what: &str,
        another: &str,
    ) -> anyhow::Result<()> {
        let Some(secret) = secret else {
            bail!("{what} was in a reply that was lost, and is not shown again; {another}");
        };
        tell(&format!("{what} is shown this once"));
        match self.json {
            true => Ok(writeln!(stdout(), "{}", answer.json())?),
            false => self.alone(secret),
        }
    }

    /// Prints a secret and nothing else.
    pub fn alone(&self, secret: &Secret) -> anyhow::Result<()> {
        Ok(writeln!(stdout(), "{}", secret.expose())?)
    }
}

/// Prints things of an array, before which so many were printed.
fn print_json<'a>(page: impl Iterator<Item = &'a str>, before: usize) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for (index, json) in page.enumerate() {
        write!(out, "{}{json}", if before + index == 0 { "[\n" } else { ",\n" })?;
    }
    Ok(out.flush()?)
}

/// Tells something that is no output.
pub fn tell(what: &str) {
    eprintln!("{}", plain(what.to_owned()));
}

/// A stranger's text without what could play with the terminal or tear a table.
fn plain(text: String) -> String {
    if text.is_empty() {
        return NOTHING.to_owned();
    }
    match text.contains(char::is_control) {
        true => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        false => text,
    }
}

/// What may be missing, as a cell.
pub fn cell(text: Option<String>) -> String {
    text.unwrap_or_default()
}

/// A moment as a cell, to the second; nothing where there is none.
pub fn moment(text: impl Into<Option<String>>) -> String {
    let text = text.into().unwrap_or_default();
    match text.split_once('.') {
        Some((second, _)) => format!("{second}Z"),
        None => text,
    }
}

/// Yes or no, as a cell.
pub fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// A table whose columns become wider from page to page, and never narrower.
struct Table<'a, const N: usize> {
    widths: [usize; N],
    /// The heads, until they were printed.
    header: Option<[&'a str; N]>,
}

impl<const N: usize> Table<'_, N> {
    fn lines(&mut self, rows: &[[String; N]]) -> Vec<String> {
        if rows.is_empty() {
            return Vec::new();
        }
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let header = self.header.take().map(|heads| heads.map(str::to_uppercase));
        header.iter().chain(rows).map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[String; N]) -> String {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(self.widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        line.trim_end().to_owned()
    }
}
