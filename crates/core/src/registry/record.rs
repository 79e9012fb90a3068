//! The form in which the cache keeps what it was told: a few bytes before the payload, nothing parsed twice.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use wharf_oci::{Digest, MediaType};

use crate::blobs::ObjectKey;
use crate::metadata::StoredManifest;

/// `[media type: 1][length of the digest: 1][digest][payload]`
pub(super) fn encode_manifest(manifest: &StoredManifest) -> Bytes {
    let digest = manifest.digest.to_binary();
    let mut record = BytesMut::with_capacity(2 + digest.len() + manifest.payload.len());
    let index =
        MediaType::ALL.iter().position(|known| *known == manifest.media_type).unwrap_or_default();
    record.put_u8(index as u8);
    record.put_u8(digest.len() as u8);
    record.put_slice(&digest);
    record.put_slice(&manifest.payload);
    record.freeze()
}

/// `None` for bytes that [`encode_manifest`] did not make: a cache may hold anything.
pub(super) fn decode_manifest(mut record: Bytes) -> Option<StoredManifest> {
    let (index, length) = (*record.first()?, usize::from(*record.get(1)?));
    let media_type = *MediaType::ALL.get(usize::from(index))?;
    let digest = Digest::from_binary(record.get(2..2 + length)?)?;
    record.advance(2 + length);
    Some(StoredManifest { digest, media_type, payload: record })
}

/// `[incarnation: 4][size: 8][whether it is needed: 1]`, the numbers big-endian.
pub(super) fn encode_blob(key: &ObjectKey, size: u64, needed: bool) -> Bytes {
    let mut record = BytesMut::with_capacity(13);
    record.put_u32(key.incarnation);
    record.put_u64(size);
    record.put_u8(needed.into());
    record.freeze()
}

pub(super) fn decode_blob(digest: Digest, mut record: &[u8]) -> Option<(ObjectKey, u64, bool)> {
    if record.len() != 13 {
        return None;
    }
    let incarnation = record.get_u32();
    Some((ObjectKey { digest, incarnation }, record.get_u64(), record.get_u8() == 1))
}
