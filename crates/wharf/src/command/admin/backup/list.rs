//! `blobs.tsv`: a line for each blob that the metadata need, in the order of their digests: digest, incarnation, size
//! in bytes or `-`. The object's key follows from the first two.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use wharf_core::blobs::ObjectKey;

use super::document::{BLOBS, private};

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Where the object lies.
    pub key: ObjectKey,
    /// Its size, where the store was asked.
    pub size: Option<u64>,
}

/// A list that is written.
pub struct Writer(BufWriter<File>);

impl Writer {
    pub fn create(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(BLOBS);
        let file = private(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(BufWriter::new(file)))
    }

    pub fn write(&mut self, Needed { key, size }: Needed) -> std::io::Result<()> {
        let ObjectKey { digest, incarnation } = key;
        match size {
            Some(size) => writeln!(self.0, "{digest}\t{incarnation}\t{size}"),
            None => writeln!(self.0, "{digest}\t{incarnation}\t-"),
        }
    }

    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A list that is read, a page at a time.
pub struct Reader {
    lines: std::io::Lines<BufReader<File>>,
    number: u64,
}

impl Reader {
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(BLOBS);
        let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { lines: BufReader::new(file).lines(), number: 0 })
    }

    /// Up to `limit` lines more; none at the end.
    pub fn page(&mut self, limit: usize) -> anyhow::Result<Vec<Needed>> {
        let mut page = Vec::new();
        while page.len() < limit
            && let Some(line) = self.lines.next()
        {
            self.number += 1;
            page.push(parse(&line?).with_context(|| format!("{BLOBS}, line {}", self.number))?);
        }
        Ok(page)
    }
}

fn parse(line: &str) -> anyhow::Result<Needed> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [digest, incarnation, size] = columns[..] else { bail!("{line:?} has no three columns") };
    let size = match size {
        "-" => None,
        size => Some(size.parse().with_context(|| format!("{size:?} is no size"))?),
    };
    let incarnation = incarnation.parse().context("the second column is no incarnation")?;
    Ok(Needed { key: ObjectKey { digest: digest.parse()?, incarnation }, size })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let folder = std::env::temp_dir().join(format!("wharf-list-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let needed = |incarnation, size| Needed { key: ObjectKey { digest, incarnation }, size };
        let all = [needed(0, Some(7)), needed(3, None), needed(0, Some(0))];
        let mut writer = Writer::create(&folder).unwrap();
        all.iter().for_each(|needed| writer.write(*needed).unwrap());
        writer.finish().unwrap();
        let mut reader = Reader::open(&folder).unwrap();
        assert_eq!(reader.page(2).unwrap(), all[..2]);
        assert_eq!(reader.page(2).unwrap(), all[2..]);
        assert!(reader.page(2).unwrap().is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for bad in
            ["", "sha256:1\t0\t1", &digest, &format!("{digest}\tx\t1"), &format!("{digest}\t0\t-1")]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
