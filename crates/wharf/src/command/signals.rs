//! Signals: those that ask the program to stop, and the one that asks for the certificate anew.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use wharf_http::serve::Certificate;

/// Tells whoever holds a clone of it that a stop was asked for.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Watches for SIGTERM and SIGINT from now on, inside a Tokio runtime. The first asks for a
    /// stop; the second ends the process at once, with 128 + the signal's number.
    pub fn on_signals() -> io::Result<Shutdown> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(watch_signals(terminate, interrupt, ask));
        Ok(Shutdown(asked))
    }

    /// Waits until a stop was asked for; returns at once when it was already.
    pub async fn requested(mut self) {
        // An error means that nobody can ask any more: the runtime is stopping.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// Loads the certificate anew at each SIGHUP; where there is none, the signal does nothing.
pub fn reload_on_hangup(certificate: Option<Arc<Certificate>>) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match certificate.as_ref().map(|certificate| certificate.reload()) {
                Some(Ok(())) => tracing::info!("the certificate was loaded anew"),
                Some(Err(error)) => tracing::error!(%error, "the old certificate stays in use"),
                None => {}
            }
        }
    });
    Ok(())
}

async fn watch_signals(mut terminate: Signal, mut interrupt: Signal, ask: watch::Sender<bool>) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping; a second signal stops at once");
    ask.send_replace(true);
    let number = next(&mut terminate, &mut interrupt).await;
    std::process::exit(128 + number);
}

/// Waits for the next of the signals and returns its number.
async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
