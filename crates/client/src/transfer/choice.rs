//! Choosing one image from a source that has several.

use crate::{Error, Root, Source};

/// The image of a source that is called `wanted` or, where no name is given, the only one, or the only one that has
/// a name.
///
/// # Errors
/// [`Error::Choice`] where there is none or more than one, with the names there are.
pub async fn choose(source: &dyn Source, wanted: Option<&str>) -> Result<Root, Error> {
    let roots = source.roots().await?;
    let names = || {
        let names: Vec<String> = roots
            .iter()
            .flat_map(|root| match root.names.as_slice() {
                [] => vec![root.descriptor.digest.to_string()],
                names => names.to_vec(),
            })
            .take(20)
            .collect();
        crate::error::printable(&names.join(", "))
    };
    let is_meant = |root: &&Root| {
        wanted.is_none_or(|wanted| {
            crate::names::has_name(&root.names, wanted)
                || root.descriptor.digest.to_string() == wanted
        })
    };
    let mut meant: Vec<&Root> = roots.iter().filter(is_meant).collect();
    // Signatures and other referrers stand beside what they are about, without a name.
    if meant.len() > 1 && meant.iter().filter(|root| !root.names.is_empty()).count() == 1 {
        meant.retain(|root| !root.names.is_empty());
    }
    let reason = match (meant.as_slice(), wanted) {
        ([root], _) => return Ok((*root).clone()),
        ([], _) if roots.is_empty() => "has no images".to_owned(),
        ([], Some(wanted)) => format!("has no image called {wanted:?}; there are: {}", names()),
        (_, Some(wanted)) => format!("has several images called {wanted:?}: {}", names()),
        (_, None) => format!("has several images; name one of them: {}", names()),
    };
    Err(Error::Choice { place: source.place(), reason })
}
