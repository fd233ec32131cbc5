//! A refusal as a page, for people with a browser. Loads nothing and runs nothing.

use std::fmt::Write as _;

use super::Refusal;

impl Refusal {
    /// The body for browsers.
    pub(in crate::proxy) fn page(&self) -> Vec<u8> {
        let mut page = String::with_capacity(1536);
        let title = Escaped(self.title());
        let _ = write!(
            page,
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:15vh auto;padding:0 1rem;\
             color:#222;background:#fafafa}}h1{{font-size:1.4rem;font-weight:600}}code{{background:#eee;\
             padding:.1em .3em;border-radius:3px}}p.small{{color:#666;font-size:.9rem}}\
             @media(prefers-color-scheme:dark){{body{{color:#ddd;background:#1b1b1b}}code{{background:#333}}\
             p.small{{color:#999}}}}</style><h1>{title}</h1><p>This did not leave: {}.</p>",
            Escaped(&self.detail),
        );
        if let Some(next) = &self.next {
            let _ = write!(page, "<p>What helps: <code>{}</code></p>", Escaped(next));
        }
        if self.retryable {
            page.push_str("<p>Afterwards, try again.</p>");
        }
        if let Some(record) = &self.record {
            let id = Escaped(record.id.as_str());
            let _ = write!(page, "<p class=\"small\">Why: <code>exeat why {id}</code></p>");
        }
        let _ = write!(page, "<p class=\"small\">exeat · {} · {}</p></html>", self.status, Escaped(self.code));
        page.push('\n');
        page.into_bytes()
    }
}

/// Text that means nothing to a reader of HTML.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Whether who sent this `Accept` would rather read a page than JSON: it names `text/html`, as browsers do
/// and programs do not, and no JSON.
pub(in crate::proxy) fn prefers_page<'a>(accept: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut page = false;
    for part in accept.flat_map(|value| value.split(|&b| b == b',')) {
        let name = part.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        page |= name.eq_ignore_ascii_case(b"text/html");
        if name.to_ascii_lowercase().ends_with(b"json") {
            return false;
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_browser_gets_a_page() {
        for (accept, want) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("*/*", false),
            ("application/json, text/html", false),
            ("application/problem+json", false),
            ("", false),
        ] {
            assert_eq!(prefers_page(std::iter::once(accept.as_bytes())), want, "{accept}");
        }
    }

    #[test]
    fn what_others_wrote_is_text_on_the_page() {
        let refusal = Refusal::new(403, "http_request_denied", "x", "<script>alert('&')</script>");
        let page = String::from_utf8(refusal.page()).unwrap();
        assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(!page.contains("<script"));
    }
}
