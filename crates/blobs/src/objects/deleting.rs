//! Many deletes at once: a thousand in a request where the store takes that, else several requests side by side.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use object_store::Error;
use object_store::path::Path;
use wharf_core::blobs::{Deletion, ObjectKey};

use super::ObjectBlobs;
use super::failure::store_error;

impl ObjectBlobs {
    pub(super) async fn delete_objects(&self, keys: &[ObjectKey]) -> Deletion {
        let doing = "deleting objects";
        let mut left: HashMap<Path, ObjectKey> =
            keys.iter().map(|key| (self.object_path(key), *key)).collect();
        let paths: Vec<_> = left.keys().cloned().map(Ok).collect();
        let mut deletion = Deletion::default();
        let answers = async {
            let mut answers = self.service.delete_stream(stream::iter(paths).boxed());
            while let Some(answer) = answers.next().await {
                let path = match answer {
                    Ok(path) => path,
                    Err(Error::NotFound { path, .. }) => Path::from(path),
                    Err(error) => {
                        deletion.fault = Some(store_error(doing, &error));
                        continue;
                    }
                };
                // Whatever is not named stays: it is deleted again.
                deletion.gone.extend(left.remove(&path));
            }
        };
        if let Err(fault) = self.within_long(doing, answers).await {
            deletion.fault = Some(fault);
        }
        deletion
    }
}
