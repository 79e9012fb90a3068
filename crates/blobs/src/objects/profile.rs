//! Keys in the files that the AWS command line keeps: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

/// The settings of a profile, by the names of the variables that would set them.
const SETTINGS: [(&str, &str); 8] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
    ("endpoint_url", "AWS_ENDPOINT_URL"),
    ("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    (ROLE, "AWS_ROLE_ARN"),
    ("role_session_name", "AWS_ROLE_SESSION_NAME"),
];

const ROLE: &str = "role_arn";

/// Ways to credentials that are not gone: they need a program, a browser, or another profile.
const NOT_GONE: [&str; 4] = [ROLE, "credential_process", "sso_session", "sso_start_url"];

/// The settings of the profile that `AWS_PROFILE` names, or of `default`. None where there are no such files.
pub(super) fn read(
    environment: &BTreeMap<String, String>,
) -> Result<Vec<(&'static str, String)>, String> {
    let profile = environment.get("AWS_PROFILE");
    let name = profile.map_or("default", String::as_str);
    let (mut found, mut not_gone) = (BTreeMap::new(), None);
    for (variable, file, section) in [
        ("AWS_CONFIG_FILE", "config", format!("profile {name}")),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name.to_owned()),
    ] {
        let section = if name == "default" { name.to_owned() } else { section };
        let home =
            || environment.get("HOME").map(|home| PathBuf::from(home).join(".aws").join(file));
        let Some(path) = environment.get(variable).map(PathBuf::from).or_else(home) else {
            continue;
        };
        match fs::read_to_string(&path) {
            Ok(text) => {
                let fields = fields(&text, &section);
                not_gone = not_gone.or(NOT_GONE.into_iter().find(|name| fields.contains_key(name)));
                found.extend(SETTINGS.iter().filter_map(|(setting, variable)| {
                    Some((*variable, (*fields.get(setting)?).to_owned()))
                }));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        }
    }
    let credentials = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"];
    let has_credentials = credentials.iter().any(|variable| found.contains_key(variable));
    if let Some(way) = not_gone.filter(|_| profile.is_some() && !has_credentials) {
        return Err(format!(
            "the profile {name:?} takes its credentials by {way}, which is not supported: give keys, a web identity, \
             or the role of the machine"
        ));
    }
    if found.is_empty() && profile.is_some() {
        return Err(format!("AWS_PROFILE names {name:?}, which is in no file of profiles"));
    }
    Ok(found.into_iter().collect())
}

/// The fields of a section; what is indented belongs to the field before it.
fn fields<'a>(text: &'a str, section: &str) -> BTreeMap<&'a str, &'a str> {
    let mut inside = false;
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let header = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = header {
            inside = name.split_whitespace().eq(section.split_whitespace());
        } else if inside
            && !line.starts_with(char::is_whitespace)
            && let Some((name, value)) = line.split_once('=')
        {
            found.insert(name.trim(), value.trim());
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_from_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let config = write(
            "config",
            "[default]\nregion = eu-west-1\n\n[profile ci]\nregion=us-east-2\ns3 =\n  region = nested\n\
             [profile sso]\nsso_session=s\n[profile web]\nrole_arn=r\nweb_identity_token_file=/t\n",
        );
        let keys = write(
            "credentials",
            "# keys\n[default]\naws_access_key_id=D\n[ci]\naws_access_key_id = K\naws_secret_access_key = S=\n",
        );
        let mut environment = BTreeMap::from([
            ("AWS_CONFIG_FILE".to_owned(), config),
            ("AWS_SHARED_CREDENTIALS_FILE".to_owned(), keys),
        ]);
        let of = |environment: &BTreeMap<String, String>| -> BTreeMap<_, _> {
            read(environment).unwrap().into_iter().collect()
        };
        assert_eq!(of(&environment)["AWS_REGION"], "eu-west-1");
        assert_eq!(of(&environment)["AWS_ACCESS_KEY_ID"], "D");
        environment.insert("AWS_PROFILE".to_owned(), "ci".to_owned());
        let found = of(&environment);
        assert_eq!(found["AWS_REGION"], "us-east-2");
        assert_eq!(found["AWS_SECRET_ACCESS_KEY"], "S=");
        environment.insert("AWS_PROFILE".to_owned(), "other".to_owned());
        assert!(read(&environment).unwrap_err().contains("\"other\""));
        environment.insert("AWS_PROFILE".to_owned(), "sso".to_owned());
        assert!(read(&environment).unwrap_err().contains("sso_session"));
        environment.insert("AWS_PROFILE".to_owned(), "web".to_owned());
        assert_eq!(of(&environment)["AWS_WEB_IDENTITY_TOKEN_FILE"], "/t");
        assert_eq!(of(&environment)["AWS_ROLE_ARN"], "r");
    }
}
