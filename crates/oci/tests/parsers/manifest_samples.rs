//! The sample documents of the image specification, and those of Docker's, as clients push them.

use wharf_oci::{Kind, Manifest, ManifestError, MediaType};

fn parse(text: &str) -> Manifest {
    Manifest::parse(text.as_bytes(), None).unwrap()
}

/// image-spec, manifest.md, "Example Image Manifest".
const IMAGE: &str = r#"{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
    "size": 7023
  },
  "layers": [
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
      "size": 32654
    },
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "sha256:3c3a4604a545cdc127456d94e421cd355bca5b528f4a9c1905b15da2eb4a4c6b",
      "size": 16724
    },
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "sha256:ec4b8955958665577945c89419d1af06b5f7636b4ac3da7f12184802ad867736",
      "size": 73109
    }
  ],
  "subject": {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
    "size": 7682
  },
  "annotations": {
    "com.example.key1": "value1",
    "com.example.key2": "value2"
  }
}"#;

/// image-spec, image-index.md, "Example Image Index".
const INDEX: &str = r#"{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "size": 7143,
      "digest": "sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",
      "platform": {
        "architecture": "ppc64le",
        "os": "linux"
      }
    },
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "size": 7682,
      "digest": "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
      "platform": {
        "architecture": "amd64",
        "os": "linux"
      }
    }
  ],
  "annotations": {
    "com.example.key1": "value1",
    "com.example.key2": "value2"
  }
}"#;

/// image-spec, manifest.md, "Guidelines for Artifact Usage": an artifact of nothing but annotations.
const ARTIFACT: &str = r#"{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "artifactType": "application/vnd.example+type",
  "config": {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2
  },
  "layers": [
    {
      "mediaType": "application/vnd.oci.empty.v1+json",
      "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      "size": 2,
      "data": "e30="
    }
  ],
  "annotations": {
    "oci.opencontainers.image.created": "2023-01-02T03:04:05Z",
    "com.example.data": "payload"
  }
}"#;

/// The same section: an artifact whose type is its configuration's.
const ARTIFACT_BY_CONFIG: &str = r#"{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.example.config.v1+json",
    "digest": "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
    "size": 123
  },
  "layers": [
    {
      "mediaType": "application/vnd.example.data.v1.tar+gzip",
      "digest": "sha256:e258d248fda94c63753607f7c4494ee0fcbe92f1a76bfdac795c9d84101eb317",
      "size": 1234
    }
  ]
}"#;

/// Docker's manifest-v2-2.md, "Example Image Manifest".
const DOCKER: &str = r#"{
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "digest": "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
        "size": 7023
    },
    "layers": [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "digest": "sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",
            "size": 32654
        },
        {
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": "sha256:3c3a4604a545cdc127456d94e421cd355bca5b528f4a9c1905b15da2eb4a4c6b",
            "size": 16724,
            "urls": ["https://example.com/layer"]
        }
    ]
}"#;

/// Docker's manifest-v2-2.md, "Example Manifest List".
const DOCKER_LIST: &str = r#"{
  "schemaVersion": 2,
  "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
  "manifests": [
    {
      "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
      "digest": "sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",
      "size": 7143,
      "platform": {
        "architecture": "ppc64le",
        "os": "linux"
      }
    },
    {
      "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
      "digest": "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
      "size": 7682,
      "platform": {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7",
        "os.version": "1",
        "features": ["sse4"]
      }
    }
  ]
}"#;

/// Docker's manifest-v2-1.md, "Signed Manifests", shortened.
const SCHEMA_1: &str = r#"{
   "name": "hello-world",
   "tag": "latest",
   "architecture": "amd64",
   "fsLayers": [
      {"blobSum": "sha256:cc8567d70002e957612902a8e985ea129d831ebe04057d88fb644857caa45d11"}
   ],
   "history": [{"v1Compatibility": "{}\n"}],
   "schemaVersion": 1,
   "signatures": [{"header": {"alg": "ES256"}, "signature": "x", "protected": "e30="}]
}"#;

#[test]
fn the_example_image_names_its_configuration_its_layers_and_its_subject() {
    let image = parse(IMAGE);
    assert_eq!(image.media_type, MediaType::ImageManifest);
    let sizes: Vec<u64> = image.blobs().map(|blob| blob.size).collect();
    assert_eq!(sizes, [7023, 32654, 16724, 73109]);
    assert_eq!(image.subject.as_ref().unwrap().size, 7682);
    assert_eq!(image.annotations["com.example.key2"], "value2");
    assert_eq!(image.artifact_type, None);
    assert_eq!(image.referrer_type(), Some("application/vnd.oci.image.config.v1+json"));
}

#[test]
fn the_example_index_names_its_manifests_with_their_platforms() {
    let index = parse(INDEX);
    assert_eq!(index.media_type, MediaType::ImageIndex);
    let architectures: Vec<&str> = index
        .children()
        .iter()
        .map(|child| child.platform.as_ref().unwrap().architecture.as_str())
        .collect();
    assert_eq!(architectures, ["ppc64le", "amd64"]);
    assert_eq!(index.blobs().count(), 0);
    assert_eq!(index.referrer_type(), None);
}

#[test]
fn the_example_artifacts_are_referrers_of_their_types() {
    assert_eq!(parse(ARTIFACT).referrer_type(), Some("application/vnd.example+type"));
    assert_eq!(
        parse(ARTIFACT_BY_CONFIG).referrer_type(),
        Some("application/vnd.example.config.v1+json")
    );
}

#[test]
fn the_example_of_docker_has_a_layer_that_the_registry_need_not_hold() {
    let image = parse(DOCKER);
    assert_eq!(image.media_type, MediaType::DockerManifest);
    let Kind::Image { layers, .. } = &image.kind else { panic!("no image") };
    assert!(!layers[0].is_non_distributable());
    assert!(layers[1].is_non_distributable());
}

#[test]
fn the_example_manifest_list_of_docker_names_its_platforms() {
    let list = parse(DOCKER_LIST);
    assert_eq!(list.media_type, MediaType::DockerManifestList);
    assert_eq!(list.children()[1].platform.as_ref().unwrap().variant.as_deref(), Some("v7"));
}

#[test]
fn an_example_that_states_no_type_is_of_the_oci_type_of_its_structure() {
    for (text, media_type) in [(IMAGE, MediaType::ImageManifest), (INDEX, MediaType::ImageIndex)] {
        let stated = format!("  \"mediaType\": \"{media_type}\",\n");
        let silent = text.replacen(&stated, "", 1);
        assert_ne!(silent, text);
        let (silent, stating) = (parse(&silent), parse(text));
        assert!(!silent.states_media_type && stating.states_media_type);
        assert_eq!(Manifest { states_media_type: true, ..silent }, stating);
    }
}

#[test]
fn the_example_of_schema_1_is_refused_as_such() {
    assert!(matches!(Manifest::parse(SCHEMA_1.as_bytes(), None), Err(ManifestError::Schema1)));
}

/// CVE-2021-41190: one document, an image to one reader and an index to another.
#[test]
fn an_image_and_an_index_in_one_are_refused_under_either_type() {
    let both = IMAGE.replacen("\"layers\"", "\"manifests\": [],\n  \"layers\"", 1);
    for media_type in [MediaType::ImageManifest, MediaType::ImageIndex] {
        assert!(matches!(
            Manifest::parse(both.as_bytes(), Some(media_type.as_str())),
            Err(ManifestError::ImageAndIndex("layers"))
        ));
    }
}
