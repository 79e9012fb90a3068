//! Asking somebody at a terminal: for a line, for a secret that must not be seen, and whether they mean it.

use std::io::{IsTerminal as _, Read as _, stderr, stdin};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use wharf_client::Secret;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 4 << 10;

/// Whether there is somebody to ask.
pub fn is_there() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Asks for a line.
pub async fn ask(question: &str) -> anyhow::Result<String> {
    eprint!("{question}: ");
    let line = tokio::task::spawn_blocking(read_line).await??;
    Ok(line.trim().to_owned())
}

/// Asks for a secret, which the terminal does not show.
pub async fn ask_secret(question: &str) -> anyhow::Result<Secret> {
    if !is_there() {
        bail!("there is no terminal to ask for it at: give --password-stdin");
    }
    // Both before the question is there: who answers it at once is not seen, and who interrupts it finds their
    // terminal as it was.
    let mut ends = Ends::watch()?;
    let _quiet = Quiet::begin()?;
    eprint!("{question}: ");
    let line = tokio::task::spawn_blocking(read_line);
    let line = tokio::select! {
        line = line => line??,
        () = ends.any() => bail!("interrupted"),
    };
    if line.is_empty() {
        bail!("nothing was entered");
    }
    Ok(Secret::new(line))
}

/// Asks for a new secret, twice.
pub async fn ask_new_secret(question: &str) -> anyhow::Result<Secret> {
    let secret = ask_secret(question).await?;
    if ask_secret("The same again").await? != secret {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(secret)
}

/// Goes on only where somebody means it: they say so now, or said so by `--yes`.
pub async fn confirm(what: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !is_there() {
        bail!("{what}: there is no terminal to ask at, so give --yes where it is meant");
    }
    match ask(&format!("{what}? [y/N]")).await?.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}

/// A line without its end.
fn read_line() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    // A byte at a time: what follows the line is for who reads next.
    for byte in stdin().lock().take(MAX_LINE).bytes() {
        match byte? {
            b'\n' => break,
            byte => bytes.push(byte),
        }
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).context("what was entered is not UTF-8")
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        quiet.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// The signals that end a program.
struct Ends([Signal; 4]);

impl Ends {
    fn watch() -> anyhow::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ]))
    }

    /// Ends when one of them came.
    async fn any(&mut self) {
        let [interrupt, terminate, hangup, quit] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}
