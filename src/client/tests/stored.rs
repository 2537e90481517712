//! What is stored beside the specs: code bundles and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flyte_schema::flyteidl2::dataproxy::CreateUploadLocationRequest;
use md5::{Digest as _, Md5};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_found_by_name_in_exactly_their_scope() {
    let served = serve(Profile::Full).await;
    let client = &served.client;
    client.set_secret(&scope(), "own", "hunter2").await.unwrap();
    client.set_secret(&Scope { project: String::new(), ..scope() }, "wide", "hunter2").await.unwrap();
    let names: BTreeSet<String> = ["own", "wide", "none"].map(str::to_owned).into();
    let found = client.find_secrets(&scope(), &names).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["own"]);
    let found = client.find_secrets(&Scope { project: String::new(), ..scope() }, &names).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["wide"]);
}

fn parcel(file_name: &str, content: &Bytes) -> Parcel {
    Parcel {
        file_name: file_name.to_owned(),
        length: content.len() as u64,
        md5: Md5::digest(content).into(),
        content: Arc::new(content.clone()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_go_up_and_come_down() {
    let served = serve(Profile::Full).await;
    let client = &served.client;
    let content = Bytes::from_static(b"not really an archive");
    let name = BundleRef(Digest::of(&content)).file_name();
    let address = client.upload(&scope(), &parcel(&name, &content)).await.unwrap();
    assert!(address.ends_with(&name), "{address}");
    assert_eq!(client.upload(&scope(), &parcel(&name, &content)).await.unwrap(), address);
    let mut with_code = app("a", "true", STOPPED);
    with_code.metadata.get_or_insert_default().code_bundle_uri = address;
    client.create(with_code).await.unwrap();
    let mut fetched = Vec::new();
    assert!(client.download_bundle(&id("a"), &mut fetched).await.unwrap());
    assert_eq!(fetched, content);
    client.create(app("b", "true", STOPPED)).await.unwrap();
    assert!(!client.download_bundle(&id("b"), &mut fetched).await.unwrap());
    let outside = client.upload(&scope(), &parcel("../x", &Bytes::new())).await.unwrap_err();
    assert_eq!(outside.code, RpcCode::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_addresses_allow_what_they_say() {
    let served = serve(Profile::Full).await;
    let content = b"bundle".to_vec();
    let md5 = Md5::digest(&content).to_vec();
    let locate = |length: i64| {
        let data = served.client.channel.data();
        let request = CreateUploadLocationRequest {
            project: "shop".into(),
            domain: "dev".into(),
            filename: "x.tar.gz".into(),
            content_md5: md5.clone(),
            content_length: length,
            ..Default::default()
        };
        async move { data.create_upload_location(request).await.map(|answer| answer.into_owned().signed_url) }
    };
    let http = served.client.channel.network.to(&served.client.channel.base);
    let put = |url: &str, md5: &[u8], body: &[u8]| {
        let request = http.put(url).header("content-md5", STANDARD.encode(md5)).body(body.to_vec());
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let url = locate(0).await.unwrap();
    assert_eq!(put(&url, &Md5::digest(b"other"), b"other").await.0, 400, "another file than was signed");
    assert_eq!(put(&url, &md5, b"broken").await.0, 400, "not what the MD5 says");
    assert_eq!(put(&url.replace("x.tar.gz", "y.tar.gz"), &md5, &content).await.0, 403);
    assert_eq!(http.get(&url).send().await.unwrap().status(), 403);
    assert_eq!(put(&url, &md5, &content).await.0, 200);
    let small = locate(3).await.unwrap();
    assert_eq!(put(&small, &md5, &content).await.0, 413);
    assert!(locate(101 << 20).await.is_err());
    served.clock.0.store(901, Ordering::Relaxed);
    let (status, text) = put(&url, &md5, &content).await;
    assert_eq!((status, text.contains("expired")), (403, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_named_and_never_told() {
    let served = serve(Profile::Full).await;
    let client = &served.client;
    let wide = Scope { org: String::new(), project: String::new(), domain: String::new() };
    client.set_secret(&wide, "KEY", "1").await.unwrap();
    client.set_secret(&scope(), "KEY", "2").await.unwrap();
    client.set_secret(&scope(), "KEY", "3").await.unwrap();
    assert_eq!(client.list_secrets(&scope()).await.unwrap(), [SecretName { scope: scope(), name: "KEY".into() }]);
    let value = |scope: &Scope| served.hub.store().secret_value(scope, "KEY").unwrap();
    assert_eq!(value(&scope()).as_deref(), Some(&b"3"[..]));
    client.delete_secret(&scope(), "KEY").await.unwrap();
    assert_eq!(value(&scope()).as_deref(), Some(&b"1"[..]));
    assert_eq!(client.delete_secret(&scope(), "KEY").await.unwrap_err().code, RpcCode::NotFound);
    assert_eq!(client.set_secret(&wide, "no spaces", "1").await.unwrap_err().code, RpcCode::InvalidArgument);
}
