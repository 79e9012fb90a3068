//! Somebody who runs `wharf`, with a configuration of Docker of their own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::house::{House, PASSWORD};
use crate::support::server::program;
use crate::support::terminal::Terminal;

pub struct Desk {
    folder: TempDir,
    host: String,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    /// Somebody who is logged in nowhere.
    pub fn new(host: &str) -> Desk {
        Desk { folder: TempDir::new().unwrap(), host: host.to_owned() }
    }

    /// Somebody of the house, with the entry that `docker login` writes.
    pub fn of(house: &House, user: &str) -> Desk {
        let desk = Desk::new(&house.server.address());
        desk.docker_login(user, PASSWORD);
        desk
    }

    /// Writes what `docker login` writes.
    pub fn docker_login(&self, user: &str, secret: &str) {
        let auth = STANDARD.encode(format!("{user}:{secret}"));
        self.configure(&json!({ "auths": { &self.host: { "auth": auth } } }));
    }

    pub fn configure(&self, config: &Value) {
        std::fs::write(self.config(), config.to_string()).unwrap();
    }

    /// Docker's configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    pub fn configured(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.config()).unwrap()).unwrap()
    }

    /// `wharf` with these words, split at blanks, and `HOST` for the registry.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WHARF_") {
                command.env_remove(name);
            }
        }
        command.args(line.split_whitespace().map(|word| word.replace("HOST", &self.host)));
        command.env("DOCKER_CONFIG", self.folder.path());
        command
    }

    /// Runs it in a pipe, with this standard input.
    pub fn run(&self, mut command: Command, input: &str) -> Said {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&self.host, "HOST");
        let code = output.status.code().unwrap();
        Said { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// What a command prints in a pipe that succeeds.
    pub fn done(&self, line: &str) -> String {
        self.typed(line, "")
    }

    /// The same with a standard input.
    pub fn typed(&self, line: &str, input: &str) -> String {
        let said = self.run(self.command(line), input);
        assert_eq!(said.code, 0, "{line}: {}", said.err);
        said.out
    }

    pub fn json(&self, line: &str) -> Value {
        let out = self.done(&format!("{line} --json"));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
    }

    /// What a command says that fails, which prints nothing else.
    pub fn refused(&self, line: &str) -> String {
        let said = self.run(self.command(line), "");
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{line}: {}", said.err);
        let lines: Vec<&str> = said.err.lines().collect();
        assert_eq!(lines.len(), 1, "{line}: {}", said.err);
        lines[0].strip_prefix("wharf: ").unwrap().to_owned()
    }

    /// The command at a terminal.
    pub fn at_terminal(&self, line: &str) -> Terminal {
        Terminal::start(&self.command(line))
    }

    /// What a command that succeeds shows at a terminal.
    pub fn seen(&self, line: &str) -> String {
        let (code, shown) = self.at_terminal(line).ends();
        assert_eq!(code, 0, "{line}: {shown}");
        shown.replace(&self.host, "HOST")
    }
}

/// Compares with what stands at the call, moments left out.
macro_rules! shows {
    ($shown:expr, @$expected:literal) => {{
        let mut settings = insta::Settings::clone_current();
        // As wide as what it stands for, where that is to the second.
        settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "2026-01-01T00:00:00Z");
        settings.add_filter(r"\t", " | ");
        settings.bind(|| insta::assert_snapshot!($shown, @$expected));
    }};
}
pub(crate) use shows;
