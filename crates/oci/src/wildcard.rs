//! Texts in which `*` stands for any text.

/// Whether a pattern covers a text; `*` stands for any text, `/` and nothing included. Takes time in proportion to
/// both lengths, whatever the pattern.
#[must_use]
pub fn wildcard_covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut reached) = (0, 0);
    // Where the last star stood, and what it stands for ends: all that is ever tried again.
    let mut star = None;
    while reached < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, reached));
                at += 1;
            }
            Some(byte) if *byte == text[reached] => {
                at += 1;
                reached += 1;
            }
            _ => {
                let Some((stands, end)) = star else { return false };
                star = Some((stands, end + 1));
                (at, reached) = (stands + 1, end + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
