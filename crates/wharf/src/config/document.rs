//! Writes `docs/configuration.md` from the table of settings.

use super::declare::Setting;
use super::table::{SECTIONS, SETTINGS};

/// What stands before the table. The first line tells how the file is made.
const INTRODUCTION: &str = r#"<!-- Made by `cargo run -p wharf -- config docs > docs/configuration.md`. Do not edit. -->

# Configuration

Wharf needs no configuration: `wharf serve` serves 127.0.0.1:5000 from the folder `wharf-data`.
Each setting has a key, `section.name`, and can be given in four places. The later in this list wins:

1. The default, listed below.
2. A TOML file, named by `--config FILE` or the environment variable `WHARF_CONFIG`:

   ```toml
   [http]
   listen = "0.0.0.0:5000"
   open = true
   trusted_proxies = ["10.0.0.0/8"]
   ```

3. An environment variable, `WHARF_SECTION_NAME`: `WHARF_HTTP_LISTEN=0.0.0.0:5000`. Lists are written
   with commas: `WHARF_HTTP_TRUSTED_PROXIES=10.0.0.0/8,::1`.
4. A flag: `--listen` is `http.listen`, `--data` is `data.folder`, `--open` is `http.open`.

Times are one number and a unit: `500ms`, `30s`, `5m`, `24h`, `7d`. Sizes are one number and a unit: `KiB`,
`MiB`, `GiB`, `TiB` (by 1024), `kB`, `MB`, `GB`, `TB` (by 1000); a number alone is bytes. Relative paths
start in the folder where Wharf was started.

A setting that is wrong stops Wharf before it does anything, with a line for each that says where it was
given and what it may be, and exit code 2. So does a key in the file that is no setting. An unknown
environment variable that begins with `WHARF_` is only warned of.

`wharf config check` tells whether `wharf serve` would start with the settings, and `wharf config show` prints
them all, each with the place that it came from.

Wharf listens on this machine only, unless `access.control` has everyone do what they were granted, or `http.open` says
that everyone who can connect may push and pull.
"#;

/// The whole document.
pub fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (section, about) in SECTIONS {
        text += &format!("\n## {section}\n\n{}\n\n", about.trim());
        text += "| key | default | what it is | what it may be | environment |\n";
        text += "| --- | --- | --- | --- | --- |\n";
        for setting in SETTINGS.iter().filter(|setting| setting.section() == *section) {
            text += &row(setting);
        }
    }
    text
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        "" => "(empty)".to_owned(),
        default => format!("`{default}`"),
    };
    format!(
        "| `{}` | {default} | {} | {} | `{}` |\n",
        setting.key,
        setting.documentation.trim(),
        setting.must_be,
        setting.variable()
    )
}
