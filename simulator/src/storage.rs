//! The storage host: presigned URLs, and a real S3 implementation that checks their signatures.

use std::io::{self, Seek as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use jiff::Timestamp;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use url::Url;

use crate::net::SimError;

const ACCESS: &str = "simulated-access-key";
const SECRET: &str = "simulated-secret-key";
/// The bucket of large artifacts.
const MEDIA: &str = "media";

/// The store and the signer of its URLs.
pub(crate) struct Storage {
    folder: tempfile::TempDir,
    service: S3Service,
    credentials: Credentials,
    buckets: OnceLock<(Bucket, Bucket)>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

/// The body of an S3 error.
pub(crate) fn xml(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message><RequestId>0000000000000000</RequestId></Error>"
    )
}

impl Storage {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("nunu-sim-").tempdir()?;
        for bucket in [crate::route::BUILDS, MEDIA] {
            std::fs::create_dir(folder.path().join(bucket))?;
        }
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS, SECRET));
        Ok(Self {
            folder,
            service: builder.build(),
            credentials: Credentials::new(ACCESS, SECRET),
            buckets: OnceLock::new(),
        })
    }

    /// Tells the storage where it can be reached; signatures cover the host.
    pub(crate) fn at(&self, origin: &str) -> io::Result<()> {
        let origin = Url::parse(origin).map_err(io::Error::other)?;
        let bucket = |name: &'static str| {
            Bucket::new(origin.clone(), UrlStyle::Path, name, "auto").map_err(io::Error::other)
        };
        let _ = self.buckets.set((bucket(crate::route::BUILDS)?, bucket(MEDIA)?));
        Ok(())
    }

    fn buckets(&self) -> Result<&(Bucket, Bucket), SimError> {
        self.buckets.get().ok_or_else(|| "storage has no address yet".into())
    }

    /// The file behind a key of a build.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(crate::route::BUILDS).join(key)
    }

    pub(crate) fn put_url(&self, key: &str, age: Duration, life: Duration) -> Result<Url, SimError> {
        let bucket = &self.buckets()?.0;
        sign(&bucket.put_object(Some(&self.credentials), key), age, life)
    }

    pub(crate) fn part_url(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        age: Duration,
        life: Duration,
    ) -> Result<Url, SimError> {
        let number = u16::try_from(number)?;
        sign(&self.buckets()?.0.upload_part(Some(&self.credentials), key, number, upload), age, life)
    }

    /// Stores the bytes of a large artifact and signs a link to it.
    pub(crate) fn media_url(
        &self,
        key: &str,
        bytes: &[u8],
        age: Duration,
        life: Duration,
    ) -> Result<Url, SimError> {
        let path = self.folder.path().join(MEDIA).join(key);
        if !path.exists() {
            std::fs::write(path, bytes)?;
        }
        sign(&self.buckets()?.1.get_object(Some(&self.credentials), key), age, life)
    }

    /// Opens a multipart upload; returns the id that storage gave it.
    pub(crate) async fn open(&self, key: &str) -> Result<String, SimError> {
        let url = self.own_url(key, ("uploads", "1"))?;
        let answer = self.own("POST", &url, String::new()).await?;
        let text = std::str::from_utf8(&answer)?;
        let id = text.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once("</UploadId>"));
        Ok(id.ok_or("storage gave no upload id")?.0.to_owned())
    }

    /// Joins the parts, whose entity tags the caller has compared.
    ///
    /// Not through the S3 implementation, which would copy every byte twice and hash it again: real storage joins parts in no time
    /// whatever their size. It would also refuse parts under 5 MiB, which tests need. The names of the part files are those of `s3s-fs`.
    pub(crate) async fn join(&self, key: &str, upload: &str, parts: u32) -> Result<(), SimError> {
        let (target, folder) = (self.path(key), self.folder.path().to_owned());
        let part = format!(".upload_id-{upload}.part-");
        let joined = tokio::task::spawn_blocking(move || {
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::rename(folder.join(format!("{part}1")), &target)?;
            // Not for appending: the kernel copies between files only at positions.
            let mut whole = std::fs::File::options().write(true).open(target)?;
            whole.seek(io::SeekFrom::End(0))?;
            for number in 2..=parts {
                let part = folder.join(format!("{part}{number}"));
                io::copy(&mut std::fs::File::open(&part)?, &mut whole)?;
                std::fs::remove_file(part)?;
            }
            Ok::<_, io::Error>(())
        });
        joined.await??;
        self.abort(key, upload).await
    }

    /// A signed `POST` with one query parameter.
    fn own_url(&self, key: &str, query: (&str, &str)) -> Result<Url, SimError> {
        let url = self.buckets()?.0.object_url(key);
        let (query, headers) = (std::iter::once(query), std::iter::empty());
        let now = Timestamp::now();
        Ok(rusty_s3::signing::sign(&now, Method::Post, url, ACCESS, SECRET, None, "auto", 60, query, headers))
    }

    /// Throws the parts away.
    pub(crate) async fn abort(&self, key: &str, upload: &str) -> Result<(), SimError> {
        let action = self.buckets()?.0.abort_multipart_upload(Some(&self.credentials), key, upload);
        self.own("DELETE", &action.sign(Duration::from_mins(1)), String::new()).await.map(|_| ())
    }

    /// A request of our own, the same way as everybody's.
    async fn own(&self, method: &str, url: &Url, body: String) -> Result<Bytes, SimError> {
        let host = url.authority().to_owned();
        let request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header("host", host)
            .header("content-length", body.len())
            .body(s3s::Body::from(body))?;
        let (status, _, body) = self.call(request).await?;
        if status >= 300 {
            return Err(format!("storage answered {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(body)
    }

    /// Passes a request to the real implementation.
    pub(crate) async fn call(
        &self,
        request: Request<s3s::Body>,
    ) -> Result<(u16, Vec<(String, String)>, Bytes), SimError> {
        let answer = self.service.call(request).await.map_err(|e| format!("{e:?}"))?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .filter(|(name, _)| !["content-length", "transfer-encoding"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        Ok((status, headers, body))
    }
}

fn sign<'a>(action: &impl S3Action<'a>, age: Duration, life: Duration) -> Result<Url, SimError> {
    let signed_at = Timestamp::now().checked_sub(age)?;
    Ok(action.sign_with_time(life.max(Duration::from_secs(1)), &signed_at))
}
