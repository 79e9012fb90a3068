//! Reading the headers of a tar that may be hostile: every number is checked against the file before it is used.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use tar::{EntryType, Header, PaxExtensions};

use super::entries::{Entry, Named};
use crate::Error;

const BLOCK: u64 = 512;

/// The most entries of an archive.
const MAX_ENTRIES: usize = 200_000;

/// The longest record about an entry, such as its long name, in bytes.
const MAX_RECORD: u64 = 64 << 10;

/// What records before an entry say of it.
#[derive(Default)]
struct Records {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// A look over all headers of a tar.
pub(super) struct Scan<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
    pub(super) length: u64,
}

impl Scan<'_> {
    /// What lies where.
    pub(super) fn names(&self) -> Result<HashMap<String, Named>, Error> {
        let mut names = HashMap::new();
        let mut records = Records::default();
        let mut at = 0;
        // An archive ends with blocks of zeros, or, from some writers, just so.
        while at < self.length {
            let block: [u8; 512] = self.read(at, BLOCK)?.try_into().map_err(|_| self.cut_off())?;
            if block.iter().all(|byte| *byte == 0) {
                break;
            }
            let header = Header::from_byte_slice(&block);
            self.check(header, &block)?;
            let kind = header.entry_type();
            let mut size = header.entry_size().map_err(Error::file(self.path))?;
            let start = at + BLOCK;
            if self.is_record(kind, start, size, &mut records)? {
                at = self.end(start, size)?;
                continue;
            }
            let records = std::mem::take(&mut records);
            size = records.size.unwrap_or(size);
            at = self.end(start, size)?;
            if let Some((name, named)) =
                self.entry(header, kind, &records, Entry { start, size })?
            {
                if names.len() == MAX_ENTRIES {
                    return Err(self.bad(format!("has more than {MAX_ENTRIES} entries")));
                }
                if names.contains_key(&name) {
                    return Err(self.bad(format!("has the entry {name:?} twice")));
                }
                names.insert(name, named);
            }
        }
        Ok(names)
    }

    /// The header's own checksum: what is not a header has none.
    fn check(&self, header: &Header, block: &[u8; 512]) -> Result<(), Error> {
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(index, byte)| if (148..156).contains(&index) { 32 } else { u32::from(*byte) })
            .sum();
        if header.cksum().is_ok_and(|stated| stated == sum) {
            return Ok(());
        }
        match block {
            [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                Err(self.bad("is compressed; decompress it first, with gunzip or unzstd"))
            }
            _ => Err(self.bad("is no tar")),
        }
    }

    /// Takes in what a record says of the next entry. Returns whether it was one.
    fn is_record(
        &self,
        kind: EntryType,
        start: u64,
        size: u64,
        records: &mut Records,
    ) -> Result<bool, Error> {
        let is_known =
            matches!(kind, EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader);
        if kind == EntryType::XGlobalHeader {
            return Ok(true);
        }
        if !is_known {
            return Ok(false);
        }
        if size > MAX_RECORD {
            return Err(self.bad(format!("has a record of {size} bytes about an entry")));
        }
        let bytes = self.read(start, size)?;
        let text = || bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        match kind {
            EntryType::GNULongName => records.name = Some(text()),
            EntryType::GNULongLink => records.link = Some(text()),
            _ => {
                for record in PaxExtensions::new(&bytes) {
                    let record = record.map_err(Error::file(self.path))?;
                    match record.key_bytes() {
                        b"path" => records.name = Some(record.value_bytes().to_vec()),
                        b"linkpath" => records.link = Some(record.value_bytes().to_vec()),
                        b"size" => {
                            let size = record.value().ok().and_then(|text| text.parse().ok());
                            let bad = || self.bad("has an entry whose size is no number");
                            records.size = Some(size.ok_or_else(bad)?);
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(true)
    }

    /// An entry's name and what it names; `None` for folders and what else has no content.
    fn entry(
        &self,
        header: &Header,
        kind: EntryType,
        records: &Records,
        entry: Entry,
    ) -> Result<Option<(String, Named)>, Error> {
        let raw = records.name.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        let raw = String::from_utf8(raw).map_err(|_| self.bad("has a name that is not UTF-8"))?;
        let leads_out = || self.bad(format!("has the entry {raw:?}, which leads out of it"));
        let name = inside("", &raw).ok_or_else(leads_out)?;
        let target = || {
            let bytes = records.link.clone();
            let bytes =
                bytes.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
            String::from_utf8(bytes.unwrap_or_default()).map_err(|_| leads_out())
        };
        let named = match kind {
            EntryType::Regular | EntryType::Continuous => Named::File(entry),
            EntryType::Link => Named::Link(inside("", &target()?).ok_or_else(leads_out)?),
            EntryType::Symlink => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                Named::Link(inside(folder, &target()?).ok_or_else(leads_out)?)
            }
            EntryType::GNUSparse => return Err(self.bad("has sparse files, which are not read")),
            _ => return Ok(None),
        };
        Ok(Some((name, named)))
    }

    /// Where the next header is.
    fn end(&self, start: u64, size: u64) -> Result<u64, Error> {
        let end = start.checked_add(size).filter(|end| *end <= self.length);
        end.map(|end| end.next_multiple_of(BLOCK)).ok_or_else(|| self.cut_off())
    }

    fn read(&self, at: u64, length: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        match self.file.read_exact_at(&mut bytes, at) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.cut_off()),
            Err(error) => Err(Error::file(self.path)(error)),
        }
    }

    fn cut_off(&self) -> Error {
        self.bad("ends in the middle of an entry, or is no tar")
    }

    fn bad(&self, reason: impl Into<String>) -> Error {
        Error::format(self.path, reason)
    }
}

/// The name that `path` has, seen from `folder`, without `.` and `..`; `None` when it leads out.
fn inside(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\\') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // A name has none of its own: only a link may go up, and not past the top.
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn names_stay_inside() {
        assert_eq!(inside("", "./blobs//sha256/x").as_deref(), Some("blobs/sha256/x"));
        assert_eq!(inside("a/b", "../c/layer.tar").as_deref(), Some("a/c/layer.tar"));
        for path in ["/etc/passwd", "../x", "a/../../x", "..", "a\\b"] {
            assert_eq!(inside("", path), None, "{path}");
        }
        assert_eq!(inside("a", "../../x"), None);
    }
}
