//! Keys in the files that the AWS command line keeps: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

/// The settings of a profile, by the names of the variables that would set them.
const SETTINGS: [(&str, &str); 5] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
    ("endpoint_url", "AWS_ENDPOINT_URL"),
];

/// The settings of the profile that `AWS_PROFILE` names, or of `default`. None where there are no such files.
pub(super) fn read(
    environment: &BTreeMap<String, String>,
) -> Result<Vec<(&'static str, String)>, String> {
    let profile = environment.get("AWS_PROFILE");
    let name = profile.map_or("default", String::as_str);
    let mut found = BTreeMap::new();
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
            Ok(text) => found.extend(settings(&text, &section)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        }
    }
    if found.is_empty() && profile.is_some() {
        return Err(format!("AWS_PROFILE names {name:?}, which is in no file of profiles"));
    }
    Ok(found.into_iter().collect())
}

fn settings(text: &str, section: &str) -> Vec<(&'static str, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.split_whitespace().eq(section.split_whitespace());
        } else if inside && let Some((name, value)) = line.split_once('=') {
            let known = SETTINGS.iter().find(|(setting, _)| *setting == name.trim());
            found.extend(known.map(|(_, variable)| (*variable, value.trim().to_owned())));
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
        let config =
            write("config", "[default]\nregion = eu-west-1\n\n[profile ci]\nregion=us-east-2\n");
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
    }
}
