//! Why bytes of a client were refused, for authorities, HTTP heads and chunks alike.
//!
//! One enum, because they all end in the same answer to the same client: a status, a stable code for programs
//! and one sentence for people that never repeats what the client sent.

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    // Authorities.
    /// Host and port together are too long.
    #[error("host and port have at most 255 bytes")]
    AuthorityLong,
    /// A user name or password stands before the host.
    #[error("a user name or password in the target is refused; send credentials in a header")]
    Userinfo,
    /// No host at all.
    #[error("the host is missing")]
    HostMissing,
    /// White space, a control or a non-ASCII byte, or one that no host name has.
    #[error("a host name has letters, digits, `-`, `_` and `.` only; write other names in punycode")]
    HostCharacter,
    /// `%` in the host.
    #[error("a percent-encoded host is refused")]
    HostPercent,
    /// `,` or `;`: some readers take a list.
    #[error("`,` and `;` in host or port are refused")]
    HostList,
    /// `*` in the host.
    #[error("`*` in a host is refused")]
    HostWildcard,
    /// Labels that are empty or too long, a bad punycode label, a number that is no address.
    #[error("the host is not a valid name or address")]
    HostInvalid,
    /// Brackets without an IPv6 address between them.
    #[error("not an IPv6 address in brackets")]
    Ipv6,
    /// An IPv6 zone id, which means something on one machine only.
    #[error("an IPv6 zone id is refused")]
    ZoneId,
    /// A port is needed here.
    #[error("the port is missing; write `host:port`")]
    PortMissing,
    /// Not plain digits from 1 to 65535, at most five of them.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `host:1:2`, or an IPv6 address without brackets.
    #[error("more than one port, or an IPv6 address without brackets")]
    Ports,

    // The request line.
    /// A line feed without carriage return, or the other way round.
    #[error("lines end in CR LF; a bare CR or LF is refused")]
    BareLineBreak,
    /// More than one empty line before the request.
    #[error("more than one empty line before the request")]
    EmptyLines,
    /// Not method, target and version with one space between.
    #[error("the request line is not `METHOD target HTTP/1.1`")]
    RequestLine,
    /// Not a token of at most 32 bytes.
    #[error("the method is not a token of at most 32 bytes")]
    Method,
    /// A lower-case method, which some servers take for the upper-case one.
    #[error("methods are case-sensitive; write the method in upper case")]
    MethodCase,
    /// TRACE would show a client's own credentials to whoever reads the answer.
    #[error("TRACE is refused")]
    TraceRefused,
    /// CONNECT inside of a tunnel.
    #[error("CONNECT is refused inside a tunnel")]
    ConnectRefused,
    /// Something like HTTP, but not 1.0 or 1.1.
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    Version,
    /// The target is longer than the limit.
    #[error("the request target is too long")]
    TargetLong,
    /// A target that its method or place does not allow, or that cannot be read.
    #[error("the request target is not of the form that the method needs")]
    TargetForm,
    /// `GET /path` sent to a proxy.
    #[error("this is a proxy: ask with an absolute `http://` target, or with CONNECT")]
    OriginForm,
    /// `GET https://…`: TLS is the client's own, through CONNECT.
    #[error("`https://` in a request line is refused; use CONNECT, so that TLS reaches the origin")]
    HttpsAbsolute,
    /// Neither http nor https.
    #[error("the scheme of the target is not `http`")]
    Scheme,
    /// Control, space, `#`, `\` or non-ASCII in path or query.
    #[error("path and query hold a byte that must be percent-encoded")]
    TargetCharacter,

    // Fields.
    /// The head is longer than the limit.
    #[error("the request head is too long")]
    HeadLong,
    /// More fields than the limit.
    #[error("the request has too many header fields")]
    TooManyFields,
    /// Empty, or with a byte that no field name has; also a line without colon.
    #[error("a header line has no valid field name before its colon")]
    FieldName,
    /// White space between name and colon.
    #[error("white space between field name and colon is refused")]
    SpaceBeforeColon,
    /// A header line that begins with white space.
    #[error("a folded header line is refused")]
    ObsFold,
    /// A control byte in a field value.
    #[error("a header value holds a control character")]
    FieldValue,
    /// No Host in HTTP/1.1, or none where the target has no authority.
    #[error("the Host field is missing")]
    HostFieldMissing,
    /// Two Host fields.
    #[error("more than one Host field")]
    HostFieldTwice,
    /// A Host field that is no `host` or `host:port`.
    #[error("the Host field is not a valid `host` or `host:port`")]
    HostFieldInvalid,
    /// Inside a tunnel, an absolute target whose authority is not that of Host.
    #[error("the Host field differs from the target")]
    HostFieldDiffers,
    /// A connection option that would remove a field all must see.
    #[error("the Connection field names a field that must not be removed")]
    ConnectionOption,
    /// Two Proxy-Authorization fields.
    #[error("more than one Proxy-Authorization field")]
    ProxyAuthorizationTwice,
    /// An expectation other than `100-continue`.
    #[error("only the expectation `100-continue` is known")]
    Expectation,

    // Framing.
    /// Both ways to say where the body ends.
    #[error("both Content-Length and Transfer-Encoding")]
    TwoFramings,
    /// Not one plain number of at most 18 digits.
    #[error("Content-Length is not one plain number")]
    ContentLength,
    /// More than one Content-Length, also when they agree.
    #[error("more than one Content-Length")]
    ContentLengthTwice,
    /// Anything but `chunked`, once.
    #[error("only the transfer coding `chunked` is known, once")]
    TransferCoding,
    /// Transfer-Encoding in HTTP/1.0, where half of the world ignores it.
    #[error("Transfer-Encoding is refused in HTTP/1.0")]
    TransferCodingIn10,
    /// CONNECT with a body.
    #[error("CONNECT has no body")]
    ConnectBody,

    // Chunks.
    /// Not 1 to 16 hexadecimal digits that fit 64 bits.
    #[error("a chunk size is not a hexadecimal number of at most 16 digits")]
    ChunkSize,
    /// A chunk extension that is too long, or holds a control byte.
    #[error("a chunk extension is too long or holds a control character")]
    ChunkExtension,
    /// The data of a chunk is not followed by CR LF.
    #[error("a chunk is not followed by a line end")]
    ChunkEnd,
    /// Trailers longer or more than their limit.
    #[error("the trailer fields are too long or too many")]
    TrailersLong,
    /// A trailer that frames, routes or authenticates the request it follows.
    #[error("a trailer field must not frame, route or authenticate")]
    TrailerField,
}

impl Fault {
    /// The name of the rule, for programs: lower snake, never changed once published.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AuthorityLong => "authority_too_long",
            Self::Userinfo => "userinfo",
            Self::HostMissing => "host_missing",
            Self::HostCharacter => "host_character",
            Self::HostPercent => "host_percent_encoded",
            Self::HostList => "host_list",
            Self::HostWildcard => "host_wildcard",
            Self::HostInvalid => "host_invalid",
            Self::Ipv6 => "ipv6_invalid",
            Self::ZoneId => "ipv6_zone_id",
            Self::PortMissing => "port_missing",
            Self::Port => "port_invalid",
            Self::Ports => "port_list",
            Self::BareLineBreak => "bare_line_break",
            Self::EmptyLines => "empty_lines",
            Self::RequestLine => "request_line",
            Self::Method => "method_invalid",
            Self::MethodCase => "method_case",
            Self::TraceRefused => "trace_refused",
            Self::ConnectRefused => "connect_refused",
            Self::Version => "http_version",
            Self::TargetLong => "target_too_long",
            Self::TargetForm => "target_form",
            Self::OriginForm => "origin_form",
            Self::HttpsAbsolute => "https_absolute_form",
            Self::Scheme => "scheme_refused",
            Self::TargetCharacter => "target_character",
            Self::HeadLong => "head_too_long",
            Self::TooManyFields => "too_many_fields",
            Self::FieldName => "field_name",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::ObsFold => "obs_fold",
            Self::FieldValue => "field_value",
            Self::HostFieldMissing => "host_field_missing",
            Self::HostFieldTwice => "host_field_twice",
            Self::HostFieldInvalid => "host_field_invalid",
            Self::HostFieldDiffers => "host_field_differs",
            Self::ConnectionOption => "connection_option",
            Self::ProxyAuthorizationTwice => "proxy_authorization_twice",
            Self::Expectation => "expectation_unknown",
            Self::TwoFramings => "two_framings",
            Self::ContentLength => "content_length_invalid",
            Self::ContentLengthTwice => "content_length_twice",
            Self::TransferCoding => "transfer_coding",
            Self::TransferCodingIn10 => "transfer_coding_in_http_1_0",
            Self::ConnectBody => "connect_body",
            Self::ChunkSize => "chunk_size",
            Self::ChunkExtension => "chunk_extension",
            Self::ChunkEnd => "chunk_end",
            Self::TrailersLong => "trailers_too_long",
            Self::TrailerField => "trailer_field",
        }
    }

    /// The status that tells a client of HTTP what went wrong: 400, or the closer 405, 414, 417, 431, 505.
    ///
    /// Never 501: RFC 9112 would have it for a transfer coding that is not known, but here an odd one is a trick
    /// before it is a wish.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::TraceRefused | Self::ConnectRefused => 405,
            Self::TargetLong => 414,
            Self::Expectation => 417,
            Self::HeadLong | Self::TooManyFields | Self::TrailersLong => 431,
            Self::Version => 505,
            _ => 400,
        }
    }
}
