//! What goes on to an origin, and what comes back from one, without what ends at this hop.

use bytes::Bytes;
use http::header::{CONNECTION, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA};
use http::uri::{Parts, PathAndQuery};
use http::{HeaderMap, HeaderName, Method, Request, Uri};
use model::TargetUrl;

use super::Upload;
use crate::proxy::via::Via;

/// A request to be sent on.
pub(in crate::proxy) struct Message<'a> {
    pub(in crate::proxy) method: Method,
    /// What was decided about: its path is what is sent.
    pub(in crate::proxy) target: &'a TargetUrl,
    /// Whether the target is `*`.
    pub(in crate::proxy) asterisk: bool,
    /// All fields, Host among them.
    pub(in crate::proxy) fields: HeaderMap,
}

impl Message<'_> {
    /// The request; none when its target cannot be written.
    pub(in crate::proxy) fn build(self, via: &Via, upload: Upload) -> Option<Request<Upload>> {
        let Self { method, target, asterisk, mut fields } = self;
        let mut parts = Parts::default();
        parts.path_and_query = Some(if asterisk {
            PathAndQuery::from_static("*")
        } else {
            let normal = target.as_str().get(path_at(target)?..)?;
            let normal = normal.split_once('#').map_or(normal, |(before, _)| before);
            PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(normal.as_bytes())).ok()?
        });
        let mut request = Request::new(upload);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        *request.method_mut() = method;
        fields.append(VIA, via.field());
        *request.headers_mut() = fields;
        Some(request)
    }
}

/// Where the path begins in a normalised URL.
fn path_at(target: &TargetUrl) -> Option<usize> {
    let after_scheme = target.scheme().len() + 3;
    Some(after_scheme + target.as_str().get(after_scheme..)?.find('/')?)
}

/// Whether a field goes no further: hop-by-hop, named by Connection, or one that only a proxy says.
pub(in crate::proxy) fn ends_here(name: &HeaderName, fields: &HeaderMap) -> bool {
    if *name == CONNECTION || *name == TRANSFER_ENCODING || *name == UPGRADE || *name == TRAILER {
        return true;
    }
    let name = name.as_str();
    if matches!(name, "keep-alive" | "te" | "http2-settings")
        || name.starts_with("proxy-")
        || name.starts_with("exeat-")
    {
        return true;
    }
    fields.contains_key(CONNECTION)
        && fields.get_all(CONNECTION).iter().any(|value| {
            value.as_bytes().split(|&b| b == b',').any(|each| each.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_end_to_end_fields_go_on() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("proxy-status", "exeat; error=none"),
            ("exeat-decision", "egr_forged"),
            ("content-type", "text/plain"),
            ("set-cookie", "a=b"),
        ] {
            fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept: Vec<&str> = fields.keys().filter(|name| !ends_here(name, &fields)).map(HeaderName::as_str).collect();
        assert_eq!(kept, ["content-type", "set-cookie"]);
    }

    #[test]
    fn the_path_that_was_decided_about_is_sent() {
        for (written, sent) in [
            ("http://a.test/b/../c?d=%20e", "/c?d=%20e"),
            ("http://a.test", "/"),
            ("http://a.test:81/x?/y#z", "/x?/y"),
            ("http://[2606:4700::1]/p", "/p"),
        ] {
            let target = TargetUrl::parse(written).unwrap();
            let message = Message { method: Method::GET, target: &target, asterisk: false, fields: HeaderMap::new() };
            let request = message.build(&Via::new("t"), Upload::None).unwrap();
            assert_eq!(request.uri().to_string(), sent, "{written}");
        }
    }
}
