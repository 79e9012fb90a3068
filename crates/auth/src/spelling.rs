//! One spelling for all that a directory may take for the same name: without case, accents, forms of letters, what cannot be seen,
//! and spaces that say nothing.
//!
//! Names that are told apart elsewhere may share it: it is for counting, and says of nobody who they are.

use unicode_normalization::UnicodeNormalization as _;

/// The one spelling of a name.
pub(crate) fn plain(name: &str) -> String {
    let folded = name.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let seen = |letter: &char| {
        letter.is_alphanumeric() || letter.is_ascii_graphic() || letter.is_whitespace()
    };
    let text: String = folded.filter(seen).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_directories_take_for_one_name_is_one() {
        for other in [
            "LIN",
            " lin",
            "lin\u{a0} ",
            "l\u{ad}in",
            "lin\u{200b}",
            "\u{feff}lin",
            "lin\0",
            "ｌｉｎ",
            "lín",
            "li\u{301}n",
            "lın",
        ] {
            assert_eq!(plain(other), "lin", "{other:?}");
        }
        assert_eq!(plain("  Groß\t  Ä. "), plain("GROSS a."));
        assert_ne!(plain("lin"), plain("linn"));
        assert_ne!(plain("l.in"), plain("lin"));
    }
}
