//! Telling how a copy goes, on stderr: bars on a terminal, a line for each step elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal as _, stderr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use wharf_client::{Event, Placed, Progress};
use wharf_oci::{Descriptor, Digest};

/// How many hex digits of a digest tell blobs apart for people.
const SHORT: usize = 12;

/// Where progress goes: bars, or lines.
pub fn on_stderr() -> Arc<dyn Progress> {
    if stderr().is_terminal() { Arc::new(Bars::new()) } else { Arc::new(Lines) }
}

fn short(digest: &Digest) -> String {
    let mut hex = digest.hex();
    hex.truncate(SHORT);
    hex
}

fn outcome(placed: Placed) -> &'static str {
    match placed {
        Placed::Copied => "copied",
        Placed::Held => "already there",
        Placed::Mounted => "mounted",
    }
}

/// What is said of an event by a line of its own.
fn line(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Planned { manifests, blobs, bytes } => {
            Some(format!("{manifests} manifests, {blobs} blobs, {}", HumanBytes(*bytes)))
        }
        Event::Finished(Descriptor { digest, size, .. }, placed) => {
            Some(format!("{} {} {}", short(digest), outcome(*placed), HumanBytes(*size)))
        }
        Event::Retrying { digest, reason } => {
            Some(format!("{} trying again: {reason}", short(digest)))
        }
        Event::LeftOut(layer) => Some(format!(
            "{} left out: it is a layer that only its owner distributes",
            short(&layer.digest)
        )),
        _ => None,
    }
}

/// Lines, for a pipe or a log.
struct Lines;

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        if let Event::Converting { layer, position, size } = event
            && position == size
        {
            eprintln!("{} compressed from {}", short(&layer), HumanBytes(size));
        }
        if let Some(line) = line(&event) {
            eprintln!("{line}");
        }
    }
}

/// Bars, for a terminal.
struct Bars {
    screen: MultiProgress,
    style: ProgressStyle,
    bars: Mutex<HashMap<Digest, ProgressBar>>,
}

impl Bars {
    fn new() -> Self {
        let template = "{prefix:12} {bar:30} {bytes:>11}/{total_bytes:11} {bytes_per_sec}";
        // A template that is wrong costs its look, nothing else.
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        Self { screen: MultiProgress::new(), style, bars: Mutex::default() }
    }

    fn bars(&self) -> MutexGuard<'_, HashMap<Digest, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, digest: &Digest, size: u64) -> ProgressBar {
        let bar = ProgressBar::new(size).with_style(self.style.clone()).with_prefix(short(digest));
        self.screen.add(bar)
    }

    fn end(&self, digest: &Digest) {
        if let Some(bar) = self.bars().remove(digest) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }
}

impl Progress for Bars {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started(blob) => {
                let bar = self.begin(&blob.digest, blob.size);
                self.bars().insert(blob.digest, bar);
            }
            Event::Advanced { digest, position } => {
                if let Some(bar) = self.bars().get(&digest) {
                    bar.set_position(position);
                }
            }
            Event::Converting { layer, position, size } if position == size => self.end(&layer),
            Event::Converting { layer, position, size } => {
                let mut bars = self.bars();
                let bar = bars.entry(layer).or_insert_with(|| self.begin(&layer, size));
                bar.set_position(position);
            }
            Event::Finished(blob, _) => self.end(&blob.digest),
            _ => {}
        }
        if let Some(line) = line(&event) {
            // Nothing to do about a terminal that cannot be written.
            let _ = self.screen.println(line);
        }
    }
}
