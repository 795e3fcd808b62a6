//! The frame of a page.

use std::fmt::{self, Display, Write};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Text that is not trusted, as it stands in HTML, in attributes as well.
pub(super) struct Esc<T>(pub(super) T);

impl<T: Display> Display for Esc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct To<'f, 'g>(&'f mut fmt::Formatter<'g>);
        impl Write for To<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for letter in text.chars() {
                    match letter {
                        '&' => self.0.write_str("&amp;"),
                        '<' => self.0.write_str("&lt;"),
                        '>' => self.0.write_str("&gt;"),
                        '"' => self.0.write_str("&quot;"),
                        '\'' => self.0.write_str("&#39;"),
                        // What HTML has no way to write: control characters but for spaces.
                        _ if letter.is_control() && !matches!(letter, '\t' | '\n') => self.0.write_char('\u{fffd}'),
                        _ => self.0.write_char(letter),
                    }?;
                }
                Ok(())
            }
        }
        write!(To(f), "{}", self.0)
    }
}

/// A page that is being written.
pub(super) struct Page {
    text: String,
}

impl Page {
    /// A page with a headline, and a line under it.
    pub(super) fn new(title: &str, summary: &str) -> Page {
        let (title, summary) = (Esc(title), Esc(summary));
        let text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src \
             'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{title} · Tumulus</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<main>\n<header>\n<p class=\"brand\">Tumulus</p>\n<h1>{title}</h1>\n<p class=\"lead\">{summary}</p>\n\
             </header>\n"
        );
        Page { text }
    }

    /// HTML as it is.
    pub(super) fn raw(&mut self, html: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{html}");
    }

    /// A section with a heading and what is said under it; `body` writes the rest.
    pub(super) fn section(&mut self, id: &str, heading: &str, about: &str, body: impl FnOnce(&mut Page)) {
        self.raw(format_args!("<section id=\"{}\">\n<h2>{}</h2>\n", Esc(id), Esc(heading)));
        if !about.is_empty() {
            self.raw(format_args!("<p class=\"about\">{}</p>\n", Esc(about)));
        }
        body(self);
        self.raw("</section>\n");
    }

    /// The names of what is drawn in which colour, as pairs of a class and a name.
    pub(super) fn legend(&mut self, entries: &[(&str, &str)]) {
        self.raw("<ul class=\"legend\">");
        for (class, name) in entries {
            self.raw(format_args!("<li><i class=\"{}\"></i>{}</li>", Esc(class), Esc(name)));
        }
        self.raw("</ul>\n");
    }

    /// A table. The columns whose heading begins with `#` are numbers.
    pub(super) fn table(&mut self, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let class = |at: usize| if headings[at].starts_with('#') { " class=\"number\"" } else { "" };
        self.raw("<div class=\"scroll\"><table>\n<thead><tr>");
        for (at, heading) in headings.iter().enumerate() {
            self.raw(format_args!("<th{}>{}</th>", class(at), Esc(heading.trim_start_matches('#'))));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (at, cell) in row.iter().enumerate() {
                self.raw(format_args!("<td{}>{}</td>", class(at), Esc(cell)));
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table></div>\n");
    }

    pub(super) fn finish(mut self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        self.raw(format_args!(
            "<footer>Written by tumulus {version}. This page asks nobody for anything: all of it is in this file.</footer>\n\
             </main>\n<div id=\"tip\" hidden></div>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
        ));
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let text = "<script>alert(\"1\" & '2')</script>\u{0}\u{1b}é";
        assert_eq!(
            Esc(text).to_string(),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;\u{fffd}\u{fffd}é"
        );
    }
}
