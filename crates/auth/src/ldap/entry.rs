//! What an entry of a directory says of somebody.

use std::collections::BTreeSet;

use ldap3::SearchEntry;
use wharf_core::metadata::{ExternalName, MOST_GROUPS};

/// The longest address that is kept, in bytes (RFC 5321, section 4.5.3.1.3).
const LONGEST_MAIL: usize = 254;

/// Attributes whose values are bytes, whatever they look like.
const BINARY: [&str; 3] = ["objectguid", "objectsid", "guid"];

/// Which attributes of an entry say what.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Who it is for ever: `entryUUID`, `objectGUID`, `ipaUniqueID`.
    pub subject: String,
    /// What they are called: `uid`, `sAMAccountName`.
    pub name: String,
    /// Their address.
    pub mail: String,
    /// The groups that they are in: `memberOf`.
    pub member_of: String,
}

/// An entry, and the attributes that were asked for.
pub struct Entry {
    pub dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl From<SearchEntry> for Entry {
    fn from(entry: SearchEntry) -> Self {
        let bytes = |(name, values): (String, Vec<String>)| {
            (name, values.into_iter().map(String::into_bytes).collect())
        };
        let attributes = entry.attrs.into_iter().map(bytes).chain(entry.bin_attrs).collect();
        Self { dn: entry.dn, attributes }
    }
}

impl Entry {
    /// The values of an attribute, whose name is compared without case (RFC 4512, section 2.5), and whether there are more: Active
    /// Directory gives long lists in parts, `memberOf;range=0-1499`.
    fn values(&self, name: &str) -> (Vec<&[u8]>, bool) {
        let mut found = Vec::new();
        let mut has_more = false;
        for (description, values) in &self.attributes {
            let (base, options) = description.split_once(';').unwrap_or((description, ""));
            if base.eq_ignore_ascii_case(name) {
                has_more |= options.to_ascii_lowercase().starts_with("range=");
                found.extend(values.iter().map(Vec::as_slice));
            }
        }
        (found, has_more)
    }

    fn first_text(&self, name: &str) -> Option<String> {
        let (values, _) = self.values(name);
        let text = std::str::from_utf8(values.first()?).ok()?.trim();
        (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
    }

    /// The only value of an attribute that names somebody for ever.
    pub fn subject(&self, attribute: &str) -> Option<ExternalName> {
        let (values, _) = self.values(attribute);
        let [value] = values[..] else { return None };
        as_text(attribute, value).parse().ok()
    }

    /// What somebody is called.
    pub fn name(&self, attribute: &str) -> Option<String> {
        self.first_text(attribute)
    }

    /// Where somebody is written to.
    pub fn mail(&self, attribute: &str) -> Option<String> {
        self.first_text(attribute).filter(|mail| mail.len() <= LONGEST_MAIL && mail.contains('@'))
    }

    /// The groups that an attribute lists by their names.
    pub fn groups(&self, attribute: &str) -> Groups {
        let (values, has_more) = self.values(attribute);
        let mut groups = Groups::default();
        values.iter().for_each(|name| groups.add(&String::from_utf8_lossy(name)));
        groups.left_out |= has_more;
        groups
    }
}

/// Groups by their names, as many as one identity may have.
#[derive(Debug, Default)]
pub struct Groups {
    pub names: BTreeSet<ExternalName>,
    /// Whether there are some that could not be taken: too many, or with names that are too long.
    pub left_out: bool,
}

impl Groups {
    pub fn add(&mut self, name: &str) {
        match name.parse() {
            Ok(name) if self.names.len() < MOST_GROUPS => _ = self.names.insert(name),
            _ => self.left_out = true,
        }
    }
}

/// A value as text: a GUID in the form that Active Directory's tools show, other bytes in hexadecimal digits.
fn as_text(attribute: &str, value: &[u8]) -> String {
    let attribute = attribute.to_ascii_lowercase();
    if let (true, &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]) =
        (attribute == "objectguid", value)
    {
        // The first three fields are numbers with their least byte first (MS-DTYP, section 2.3.4).
        let ordered =
            [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p].map(|it| format!("{it:02x}"));
        return [&ordered[..4], &ordered[4..6], &ordered[6..8], &ordered[8..10], &ordered[10..]]
            .map(|part| part.concat())
            .join("-");
    }
    match std::str::from_utf8(value) {
        Ok(text) if !BINARY.contains(&attribute.as_str()) && !text.contains(char::is_control) => {
            text.to_owned()
        }
        _ => value.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let owned = attributes.iter().map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| value.to_vec()).collect())
        });
        Entry { dn: "uid=ada,dc=example".into(), attributes: owned.collect() }
    }

    #[test]
    fn a_guid_is_written_as_active_directory_shows_it() {
        let bytes: Vec<u8> = (0..16).collect();
        let entry = entry(&[("objectGUID", &[&bytes])]);
        let subject = entry.subject("objectguid").unwrap();
        assert_eq!(subject.as_str(), "03020100-0504-0706-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn bytes_are_written_in_digits_and_text_as_it_is() {
        for (attribute, value, text) in [
            ("entryUUID", &b"a6f0-7"[..], "a6f0-7"),
            ("objectSid", &[1, 5, 0, 255][..], "010500ff"),
            // Bytes that happen to be letters are none.
            ("objectSid", b"ab", "6162"),
            ("custom", &[0xff, 1], "ff01"),
        ] {
            let subject = entry(&[(attribute, &[value])]).subject(attribute).unwrap();
            assert_eq!(subject.as_str(), text);
        }
    }

    #[test]
    fn who_is_not_one_person_for_ever_is_nobody() {
        for values in [&[][..], &[&b""[..]], &[&b"a"[..], b"b"]] {
            assert_eq!(entry(&[("entryUUID", values)]).subject("entryUUID"), None);
        }
        assert_eq!(entry(&[]).subject("entryUUID"), None);
    }

    #[test]
    fn addresses_and_names_are_texts() {
        let entry = entry(&[("UID", &[b"Ada"]), ("mail", &[b"nowhere"]), ("cn", &[b"a\nb"])]);
        assert_eq!(entry.name("uid").as_deref(), Some("Ada"));
        assert_eq!((entry.mail("mail"), entry.name("cn")), (None, None));
    }

    #[test]
    fn groups_that_cannot_be_taken_are_told() {
        let long = "x".repeat(300);
        let groups = entry(&[("memberOf", &[b"cn=a", b"cn=b"])]).groups("memberof");
        assert_eq!((groups.names.len(), groups.left_out), (2, false));
        let groups = entry(&[("memberOf", &[b"cn=a", long.as_bytes()])]).groups("memberOf");
        assert_eq!((groups.names.len(), groups.left_out), (1, true));
        let groups = entry(&[("memberOf;range=0-1499", &[b"cn=a"])]).groups("memberOf");
        assert_eq!((groups.names.len(), groups.left_out), (1, true));
        let many: Vec<_> = (0..=MOST_GROUPS).map(|number| format!("cn={number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_bytes).collect();
        let groups = entry(&[("memberOf", &many)]).groups("memberOf");
        assert_eq!((groups.names.len(), groups.left_out), (MOST_GROUPS, true));
    }
}
