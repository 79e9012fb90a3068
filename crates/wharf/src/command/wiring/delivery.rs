//! Who carries blobs to clients, as a configuration asks for it.

use std::fs;
use std::path;
use std::sync::Arc;

use anyhow::Context;
use http::HeaderName;
use wharf_blobs::{Cdn, CdnKey, CloudFrontKey, FileBlobs, HmacKey};
use wharf_core::delivery::SignedUrls;
use wharf_http::api::{Carrier, Delivery};

use super::blobs;
use crate::config::{CdnSignature, Config, DeliveryMode};

/// The rules of delivery.
pub fn rules(config: &Config) -> anyhow::Result<Delivery> {
    let delivery = &config.delivery;
    let proxy = |header, prefix| Carrier::Proxy { header: HeaderName::from_static(header), prefix };
    let carrier = match delivery.mode {
        DeliveryMode::Stream => Carrier::Node,
        DeliveryMode::Redirect => Carrier::SignedUrl { life: delivery.url_lifetime.get() },
        DeliveryMode::XAccel => proxy("x-accel-redirect", delivery.proxy_prefix.to_string()),
        DeliveryMode::XSendfile => {
            let objects = FileBlobs::objects_folder(&blobs::folder(config).context("no files")?);
            let objects = path::absolute(objects)?;
            proxy("x-sendfile", format!("{}/", objects.display()))
        }
    };
    Ok(Delivery {
        carrier,
        least_size: delivery.least_size.get(),
        streamed_networks: delivery.streamed_networks.iter().map(|it| it.get()).collect(),
        streamed_repositories: delivery.streamed_repositories.to_vec(),
    })
}

/// Who signs URLs: the CDN, where there is one, else `store`.
pub fn signed(
    config: &Config,
    store: Option<Arc<dyn SignedUrls>>,
) -> anyhow::Result<Option<Arc<dyn SignedUrls>>> {
    let delivery = &config.delivery;
    let (Some(url), Some(id), Some(file)) =
        (&delivery.cdn_url.0, &delivery.cdn_key_id.0, &delivery.cdn_key_file.0)
    else {
        return Ok(store);
    };
    let shown = file.as_ref().display();
    let key = fs::read(file.as_ref())
        .with_context(|| format!("the key {shown} cannot be read (delivery.cdn_key_file)"))?;
    let key = match delivery.cdn_signature {
        CdnSignature::Hmac => HmacKey::new(id, &key).map(CdnKey::Hmac),
        CdnSignature::CloudFront => {
            CloudFrontKey::new(id, &String::from_utf8_lossy(&key)).map(CdnKey::CloudFront)
        }
    };
    let key = key.with_context(|| format!("{shown} (delivery.cdn_key_file)"))?;
    Ok(Some(Arc::new(Cdn::new(url.clone(), key))))
}
