//! The file `config.json` of Docker: read with a limit, and written so that everything else in it stays as it was.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The file's name in its folder.
pub(super) const NAME: &str = "config.json";

/// The largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// Why Docker's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DockerConfigError {
    /// It cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is not Docker's configuration.
    #[error("{} is no configuration of Docker: {reason}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl DockerConfigError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::File { path, reason }
    }

    fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.into() }
    }
}

/// The bytes of the file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, DockerConfigError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_CONFIG + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > MAX_CONFIG => {
            let reason = format!("it is larger than {MAX_CONFIG} bytes");
            Err(DockerConfigError::content(path, reason))
        }
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DockerConfigError::file(path)(error)),
    }
}

/// What the bytes of the file say.
pub(super) fn parse<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
) -> Result<T, DockerConfigError> {
    // The parser's own message could quote a password; its place is enough.
    serde_json::from_slice(bytes).map_err(|error| {
        let reason = format!("line {}, column {}", error.line(), error.column());
        DockerConfigError::content(path, reason)
    })
}

/// Changes the file of `folder`. Writers wait for each other; readers see the old file or the new one.
pub(super) fn change(
    folder: &Path,
    edit: impl FnOnce(&mut Members) -> Result<(), String>,
) -> Result<(), DockerConfigError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(DockerConfigError::file(folder))?;
    let path = target(&folder.join(NAME))?;
    let folder = path.parent().unwrap_or(folder);
    // The lock is the folder's own: the file is another one after each change.
    let lock = File::open(folder).map_err(DockerConfigError::file(folder))?;
    lock.lock().map_err(DockerConfigError::file(folder))?;
    let mut members = match read(&path)? {
        Some(bytes) => parse(&path, &bytes)?,
        None => Members::default(),
    };
    edit(&mut members).map_err(|reason| DockerConfigError::content(&path, reason))?;
    replace(folder, &path, &members.text(0)).map_err(DockerConfigError::file(&path))?;
    // The name of the new file is durable with its folder.
    lock.sync_all().map_err(DockerConfigError::file(folder))
}

/// The file itself, where the name is a symbolic link, so that the link stays.
fn target(path: &Path) -> Result<PathBuf, DockerConfigError> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {
            path.canonicalize().map_err(DockerConfigError::file(path))
        }
        _ => Ok(path.to_owned()),
    }
}

/// A temporary file, which nobody else may read, takes the place of the old one.
fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".config.json.").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// An object of JSON whose members keep their order and, untouched, their text.
#[derive(Default)]
pub(super) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The object that is the value of a member; an empty one where there is none.
    pub(super) fn object(&self, name: &str) -> Result<Self, String> {
        match self.get(name).map(RawValue::get) {
            None | Some("null") => Ok(Self::default()),
            Some(text) => {
                serde_json::from_str(text).map_err(|_| format!("{name:?} in it is no object"))
            }
        }
    }

    /// Sets a member where it stands, or behind the others.
    pub(super) fn set(&mut self, name: &str, text: String) -> Result<(), String> {
        let value = RawValue::from_string(text).map_err(|error| error.to_string())?;
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// Removes the members whose names are meant.
    pub(super) fn remove(&mut self, mut is_meant: impl FnMut(&str) -> bool) {
        self.0.retain(|(key, _)| !is_meant(key));
    }

    /// The object's text, indented by tabs, as Docker writes it.
    pub(super) fn text(&self, depth: usize) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let indent = "\t".repeat(depth);
        let line = |(key, value): &(String, Box<RawValue>)| {
            format!("{indent}\t{}: {}", serde_json::Value::from(key.as_str()), value.get())
        };
        let lines: Vec<String> = self.0.iter().map(line).collect();
        format!("{{\n{}\n{indent}}}", lines.join(",\n"))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
