//! DOCX: `WordprocessingML` with real headings, lists, tables and a footer (ECMA-376 Part 1).

use std::fmt::Write as _;
use std::io::{self, Write};

use zip::write::SimpleFileOptions;

use super::document::{Block, Document, Link, Span, is_marked, plain};
use crate::report::figure::{Figure, xml};

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="png" ContentType="image/png"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/><Override PartName="/word/numbering.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.numbering+xml"/><Override PartName="/word/footer1.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"/><Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>"#;
const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>"#;
const DOCUMENT_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/numbering" Target="numbering.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footer" Target="footer1.xml"/>"#;
const WORD: &str = r#"xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture""#;
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// Width and height of the text on a page, in points.
const TEXT_WIDTH_PT: f32 = 481.0;
const TEXT_HEIGHT_PT: f32 = 640.0;
/// A row with more text than this may be split between pages: kept whole it might be longer than one.
const WHOLE_MAX: usize = 1_000;
/// English metric units, of which `DrawingML` makes its lengths.
const EMU_PER_POINT: f32 = 12_700.0;

/// The document as a DOCX package.
pub fn bytes(document: &Document) -> io::Result<Vec<u8>> {
    let mut package = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let mut body = Body::default();
    for block in &document.blocks {
        body.block(document, block, 0);
    }
    let relations = document_relations(body.pictures.len());
    let parts = [
        ("[Content_Types].xml", CONTENT_TYPES.to_owned()),
        ("_rels/.rels", RELATIONS.to_owned()),
        ("docProps/core.xml", core_properties(&document.title)),
        ("word/document.xml", body.finish()),
        ("word/_rels/document.xml.rels", relations),
        ("word/styles.xml", styles()),
        ("word/numbering.xml", numbering(body.ordered)),
        ("word/footer1.xml", footer(&document.footer)),
    ];
    // A fixed time stamp makes the same report the same file.
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    for (name, content) in parts {
        package.start_file(name, options).map_err(io::Error::other)?;
        package.write_all(content.as_bytes())?;
    }
    // Pictures are packed already.
    let options = options.compression_method(zip::CompressionMethod::Stored);
    for (at, picture) in body.pictures.iter().enumerate() {
        package.start_file(format!("word/media/figure{}.png", at + 1), options).map_err(io::Error::other)?;
        package.write_all(picture)?;
    }
    Ok(package.finish().map_err(io::Error::other)?.into_inner())
}

/// What the body refers to: styles, lists, the footer, and a picture for each figure.
fn document_relations(pictures: usize) -> String {
    let mut out = DOCUMENT_RELATIONS.to_owned();
    for number in 1..=pictures {
        let _ = write!(
            out,
            "<Relationship Id=\"figure{number}\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/image\" Target=\"media/figure{number}.png\"/>"
        );
    }
    out.push_str("</Relationships>");
    out
}

#[derive(Default)]
struct Body {
    xml: String,
    /// Ordered lists begun so far; each counts from its own start.
    ordered: u32,
    /// PNG files of the figures so far.
    pictures: Vec<Vec<u8>>,
    /// Places that links lead to so far.
    bookmarks: u32,
}

impl Body {
    fn block(&mut self, document: &Document, block: &Block, depth: usize) {
        match block {
            Block::Heading(level, inline) => self.paragraph(&format!("<w:pStyle w:val=\"Heading{level}\"/>"), inline),
            // A caption stays with its table.
            Block::Paragraph(inline) if inline.iter().all(|span| span.bold) => {
                self.paragraph("<w:keepNext/>", inline);
            }
            Block::Paragraph(inline) => self.paragraph("", inline),
            Block::Rule => self.xml.push_str(
                "<w:p><w:pPr><w:pBdr><w:bottom w:val=\"single\" w:sz=\"6\" w:space=\"1\" w:color=\"BBBBBB\"/></w:pBdr></w:pPr></w:p>",
            ),
            Block::Code(lines) => {
                for line in lines.lines() {
                    let span = Span { text: line.to_owned(), code: true, ..Span::default() };
                    self.paragraph("<w:pStyle w:val=\"Code\"/>", &[span]);
                }
            }
            Block::Quote(blocks) => {
                for block in blocks {
                    match block {
                        Block::Paragraph(inline) => self.paragraph("<w:pStyle w:val=\"Quote\"/>", inline),
                        other => self.block(document, other, depth + 1),
                    }
                }
            }
            Block::List(first, items) => self.list(document, first.is_some(), items, depth),
            Block::Table(head, rows) => self.table(head, rows),
            Block::Figure(id) => {
                if let Some(figure) = document.figure(id) {
                    self.picture(figure);
                    let text = figure.caption.clone();
                    self.paragraph("<w:pStyle w:val=\"Caption\"/>", &[Span { text, italic: true, ..Span::default() }]);
                }
            }
        }
    }

    fn paragraph(&mut self, properties: &str, inline: &[Span]) {
        let runs = self.runs(inline);
        let _ = write!(self.xml, "<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>");
    }

    /// A figure as a picture in the line, as wide as the text at most; its caption is its description.
    fn picture(&mut self, figure: &Figure) {
        let Some(picture) = super::picture::png(figure) else { return };
        self.pictures.push(picture);
        let number = self.pictures.len();
        let scale = (TEXT_WIDTH_PT / figure.width).min(TEXT_HEIGHT_PT / figure.height);
        let emu = |points: f32| (points * scale * EMU_PER_POINT) as u64;
        let (width, height) = (emu(figure.width), emu(figure.height));
        let (id, caption) = (xml(&figure.id), xml(&figure.caption));
        let _ = write!(
            self.xml,
            "<w:p><w:pPr><w:keepNext/></w:pPr><w:r><w:drawing><wp:inline distT=\"0\" distB=\"0\" distL=\"0\" distR=\"0\"><wp:extent cx=\"{width}\" cy=\"{height}\"/><wp:docPr id=\"{number}\" name=\"{id}\" descr=\"{caption}\"/><a:graphic><a:graphicData uri=\"http://schemas.openxmlformats.org/drawingml/2006/picture\"><pic:pic><pic:nvPicPr><pic:cNvPr id=\"{number}\" name=\"{id}\"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:embed=\"figure{number}\"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x=\"0\" y=\"0\"/><a:ext cx=\"{width}\" cy=\"{height}\"/></a:xfrm><a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
        );
    }

    fn list(&mut self, document: &Document, ordered: bool, items: &[Vec<Block>], depth: usize) {
        let number = if ordered {
            self.ordered += 1;
            self.ordered + 1
        } else {
            1
        };
        let level = depth.min(3);
        for item in items {
            for (at, block) in item.iter().enumerate() {
                match block {
                    // The mark of a voice stands in the place of the bullet.
                    Block::Paragraph(inline) if at == 0 && !ordered && is_marked(item) => {
                        let left = 720 * (level + 1) - 400;
                        let properties = format!(
                            "<w:pStyle w:val=\"ListParagraph\"/><w:ind w:left=\"{left}\" w:hanging=\"280\"/>"
                        );
                        self.paragraph(&properties, inline);
                    }
                    Block::Paragraph(inline) if at == 0 => {
                        let properties = format!(
                            "<w:pStyle w:val=\"ListParagraph\"/><w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"{number}\"/></w:numPr>"
                        );
                        self.paragraph(&properties, inline);
                    }
                    Block::Paragraph(inline) => {
                        let properties = format!("<w:ind w:left=\"{}\"/>", 720 * (level + 1));
                        self.paragraph(&properties, inline);
                    }
                    other => self.block(document, other, depth + 1),
                }
            }
        }
    }

    fn table(&mut self, head: &[Vec<Span>], rows: &[Vec<Vec<Span>>]) {
        let columns = head.len().max(1);
        let widths = column_widths(head, rows, 9_600.0);
        self.xml.push_str(
            "<w:tbl><w:tblPr><w:tblStyle w:val=\"ReportTable\"/><w:tblW w:w=\"5000\" w:type=\"pct\"/></w:tblPr><w:tblGrid>",
        );
        for width in &widths {
            let _ = write!(self.xml, "<w:gridCol w:w=\"{width:.0}\"/>");
        }
        self.xml.push_str("</w:tblGrid>");
        let body = rows.iter().map(|row| (false, row.as_slice()));
        for (is_head, row) in std::iter::once((true, head)).chain(body) {
            let letters: usize = row.iter().flatten().map(|span| span.text.len()).sum();
            let properties = match (is_head, letters < WHOLE_MAX) {
                (true, _) => "<w:cantSplit/><w:tblHeader/>",
                (false, true) => "<w:cantSplit/>",
                (false, false) => "",
            };
            let _ = write!(self.xml, "<w:tr><w:trPr>{properties}</w:trPr>");
            for (column, width) in widths.iter().enumerate().take(columns) {
                let cell = row.get(column).map(Vec::as_slice).unwrap_or_default();
                let bold: Vec<Span> =
                    cell.iter().cloned().map(|span| Span { bold: span.bold || is_head, ..span }).collect();
                let runs = self.runs(&bold);
                let _ = write!(
                    self.xml,
                    "<w:tc><w:tcPr><w:tcW w:w=\"{width:.0}\" w:type=\"dxa\"/></w:tcPr><w:p><w:pPr><w:pStyle w:val=\"TableText\"/></w:pPr>{runs}</w:p></w:tc>"
                );
            }
            self.xml.push_str("</w:tr>");
        }
        self.xml.push_str("</w:tbl><w:p><w:pPr><w:spacing w:after=\"60\"/></w:pPr></w:p>");
    }

    fn runs(&mut self, inline: &[Span]) -> String {
        let mut out = String::new();
        for span in inline {
            let mut properties = String::new();
            for (on, tag) in [
                (
                    span.code,
                    "<w:rFonts w:ascii=\"Courier New\" w:hAnsi=\"Courier New\" w:cs=\"Courier New\"/>",
                ),
                (span.bold, "<w:b/>"),
                (span.italic, "<w:i/>"),
                (span.strike, "<w:strike/>"),
                (matches!(span.link, Some(Link::To(_))), "<w:color w:val=\"1D63B8\"/>"),
                (span.text.contains('«'), "<w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"FFF3C4\"/>"),
            ] {
                if on {
                    properties.push_str(tag);
                }
            }
            // Names of bookmarks have letters, digits and low lines.
            let name = |place: &str| xml(&place.replace('-', "_"));
            match &span.link {
                Some(Link::To(place)) => {
                    let _ = write!(out, "<w:hyperlink w:anchor=\"{}\">", name(place));
                }
                Some(Link::Here(place)) => {
                    self.bookmarks += 1;
                    let (id, name) = (self.bookmarks, name(place));
                    let _ = write!(
                        out,
                        "<w:bookmarkStart w:id=\"{id}\" w:name=\"{name}\"/><w:bookmarkEnd w:id=\"{id}\"/>"
                    );
                }
                None => {}
            }
            for (at, line) in span.text.split('\n').enumerate() {
                let line_break = if at > 0 { "<w:br/>" } else { "" };
                let _ = write!(
                    out,
                    "<w:r><w:rPr>{properties}</w:rPr>{line_break}<w:t xml:space=\"preserve\">{}</w:t></w:r>",
                    xml(line)
                );
            }
            if matches!(span.link, Some(Link::To(_))) {
                out.push_str("</w:hyperlink>");
            }
        }
        out
    }

    fn finish(&self) -> String {
        format!(
            "{HEAD}<w:document {WORD}><w:body>{}<w:sectPr><w:footerReference w:type=\"default\" r:id=\"rId3\"/><w:pgSz w:w=\"11906\" w:h=\"16838\"/><w:pgMar w:top=\"1134\" w:right=\"1134\" w:bottom=\"1134\" w:left=\"1134\" w:header=\"567\" w:footer=\"567\" w:gutter=\"0\"/></w:sectPr></w:body></w:document>",
            self.xml
        )
    }
}

/// Shares a width among columns: the longest word each, what is left by the amount of text; at least one column.
fn column_widths(head: &[Vec<Span>], rows: &[Vec<Vec<Span>>], width: f32) -> Vec<f32> {
    // About ninety characters of the size of tables fit into a line.
    let (line, word_max) = (90.0_f32, if head.len() > 3 { 24.0_f32 } else { 66.0 });
    let columns = head.len().max(1);
    let (mut least, mut natural) = (vec![4.0_f32; columns], vec![4.0_f32; columns]);
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        for (cell, (least, natural)) in row.iter().zip(least.iter_mut().zip(&mut natural)) {
            let text = plain(cell);
            let count = |text: &str| text.chars().count() as f32 + 2.0;
            *least = least.max(text.split([' ', '\n']).map(count).fold(0.0, f32::max).min(word_max));
            *natural = natural.max(count(&text).min(line * 0.75));
        }
    }
    let needed: f32 = least.iter().sum();
    let more: f32 = natural.iter().zip(&least).map(|(natural, least)| (natural - least).max(0.0)).sum();
    let spare = (line - needed).max(0.0);
    let chars = |(natural, least): (&f32, &f32)| least + spare * (natural - least).max(0.0) / more.max(1.0);
    let shares: Vec<f32> = natural.iter().zip(&least).map(chars).collect();
    let total: f32 = shares.iter().sum();
    shares.iter().map(|share| share * width / total.max(1.0)).collect()
}

fn core_properties(title: &str) -> String {
    format!(
        "{HEAD}<cp:coreProperties xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>{}</dc:title><dc:creator>portmortem</dc:creator></cp:coreProperties>",
        xml(title)
    )
}

fn footer(text: &str) -> String {
    let small = "<w:rPr><w:sz w:val=\"16\"/><w:color w:val=\"666666\"/></w:rPr>";
    format!(
        "{HEAD}<w:ftr {WORD}><w:p><w:pPr><w:jc w:val=\"center\"/></w:pPr><w:r>{small}<w:t xml:space=\"preserve\">{} · page </w:t></w:r><w:r>{small}<w:fldChar w:fldCharType=\"begin\"/></w:r><w:r>{small}<w:instrText xml:space=\"preserve\"> PAGE </w:instrText></w:r><w:r>{small}<w:fldChar w:fldCharType=\"end\"/></w:r></w:p></w:ftr>",
        xml(text)
    )
}

fn styles() -> String {
    let mut out = format!(
        "{HEAD}<w:styles {WORD}><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii=\"Calibri\" w:hAnsi=\"Calibri\" w:cs=\"Calibri\" w:eastAsia=\"Calibri\"/><w:sz w:val=\"19\"/><w:lang w:val=\"en-GB\"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after=\"80\" w:line=\"252\" w:lineRule=\"auto\"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:type=\"paragraph\" w:default=\"1\" w:styleId=\"Normal\"><w:name w:val=\"Normal\"/></w:style>"
    );
    for (level, size) in [(1, 32), (2, 25), (3, 22), (4, 20), (5, 19), (6, 19)] {
        let _ = write!(
            out,
            "<w:style w:type=\"paragraph\" w:styleId=\"Heading{level}\"><w:name w:val=\"heading {level}\"/><w:basedOn w:val=\"Normal\"/><w:next w:val=\"Normal\"/><w:qFormat/><w:pPr><w:keepNext/><w:spacing w:before=\"200\" w:after=\"60\"/><w:outlineLvl w:val=\"{}\"/></w:pPr><w:rPr><w:b/><w:sz w:val=\"{size}\"/></w:rPr></w:style>",
            level - 1
        );
    }
    for (id, name, paragraph, run) in [
        ("ListParagraph", "List Paragraph", "<w:spacing w:after=\"30\"/>", ""),
        (
            "TableText",
            "Table Text",
            "<w:spacing w:before=\"10\" w:after=\"10\" w:line=\"240\"/>",
            "<w:sz w:val=\"16\"/>",
        ),
        ("Quote", "Quote", "<w:ind w:left=\"400\"/>", "<w:color w:val=\"555555\"/>"),
        (
            "Caption",
            "caption",
            "<w:spacing w:before=\"60\"/>",
            "<w:color w:val=\"555555\"/><w:sz w:val=\"18\"/>",
        ),
        (
            "Code",
            "Code",
            "<w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"F3F5F7\"/><w:spacing w:after=\"0\"/>",
            "<w:rFonts w:ascii=\"Courier New\" w:hAnsi=\"Courier New\" w:cs=\"Courier New\"/><w:sz w:val=\"16\"/>",
        ),
    ] {
        let _ = write!(
            out,
            "<w:style w:type=\"paragraph\" w:styleId=\"{id}\"><w:name w:val=\"{name}\"/><w:basedOn w:val=\"Normal\"/><w:pPr>{paragraph}</w:pPr><w:rPr>{run}</w:rPr></w:style>"
        );
    }
    out.push_str("<w:style w:type=\"table\" w:styleId=\"ReportTable\"><w:name w:val=\"Report Table\"/><w:tblPr><w:tblBorders>");
    for side in ["top", "bottom", "insideH"] {
        let _ = write!(out, "<w:{side} w:val=\"single\" w:sz=\"4\" w:space=\"0\" w:color=\"BFC5CC\"/>");
    }
    out.push_str("</w:tblBorders><w:tblCellMar><w:left w:w=\"80\" w:type=\"dxa\"/><w:right w:w=\"80\" w:type=\"dxa\"/></w:tblCellMar></w:tblPr></w:style></w:styles>");
    out
}

/// One bullet definition, and one counter for each ordered list so that each begins at 1.
fn numbering(ordered: u32) -> String {
    let mut out = format!("{HEAD}<w:numbering {WORD}>");
    for (id, format, texts) in
        [(0, "bullet", ["•", "–", "•", "–"]), (1, "decimal", ["%1.", "%2.", "%3.", "%4."])]
    {
        let _ = write!(out, "<w:abstractNum w:abstractNumId=\"{id}\">");
        for (level, text) in texts.iter().enumerate() {
            let _ = write!(
                out,
                "<w:lvl w:ilvl=\"{level}\"><w:start w:val=\"1\"/><w:numFmt w:val=\"{format}\"/><w:lvlText w:val=\"{text}\"/><w:lvlJc w:val=\"left\"/><w:pPr><w:ind w:left=\"{}\" w:hanging=\"360\"/></w:pPr></w:lvl>",
                720 * (level + 1) - 240
            );
        }
        out.push_str("</w:abstractNum>");
    }
    out.push_str("<w:num w:numId=\"1\"><w:abstractNumId w:val=\"0\"/></w:num>");
    for list in 0..ordered {
        let _ = write!(
            out,
            "<w:num w:numId=\"{}\"><w:abstractNumId w:val=\"1\"/><w:lvlOverride w:ilvl=\"0\"><w:startOverride w:val=\"1\"/></w:lvlOverride></w:num>",
            list + 2
        );
    }
    out.push_str("</w:numbering>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn the_package_holds_headings_and_escaped_text() {
        let document =
            Document::read("t", "foot", ("# Head\n\n1. a <b>\n\n| x |\n|---|\n| y |\n", ""), Vec::new());
        let out = bytes(&document).unwrap();
        let mut archive = zip::ZipArchive::new(io::Cursor::new(out)).unwrap();
        let mut body = String::new();
        archive.by_name("word/document.xml").unwrap().read_to_string(&mut body).unwrap();
        assert!(body.contains("Heading1") && body.contains("&lt;b&gt;") && body.contains("<w:tbl>"));
        assert!(body.contains("w:numId w:val=\"2\""));
    }

    #[test]
    fn every_row_stands_in_the_package_and_links_lead_to_bookmarks() {
        let rows: Vec<String> =
            (1..=300).map(|row| format!("| list {row} | {} |\n", "9 ".repeat(row * 9))).collect();
        let rows = rows.concat();
        let markdown = format!("Seen [list 300].\n\n| List | Frames |\n|---|---|\n{rows}");
        let out = bytes(&Document::read("t", "foot", (&markdown, ""), Vec::new())).unwrap();
        let mut archive = zip::ZipArchive::new(io::Cursor::new(out)).unwrap();
        let mut body = String::new();
        archive.by_name("word/document.xml").unwrap().read_to_string(&mut body).unwrap();
        assert_eq!(body.matches("<w:tr>").count(), 301);
        assert_eq!(body.matches("</w:tc>").count(), 602);
        assert_eq!(body.matches("<w:tblHeader/>").count(), 1);
        // A row that may be longer than a page is not kept whole.
        assert!((50..=250).contains(&body.matches("<w:cantSplit/>").count()));
        assert!(body.contains("<w:hyperlink w:anchor=\"list_300\">"));
        assert_eq!(body.matches("w:name=\"list_300\"").count(), 1);
    }

    #[test]
    fn a_figure_is_a_picture_with_its_caption_as_description() {
        let shape = crate::report::figure::Shape::Rect {
            area: (1.0, 1.0, 50.0, 10.0),
            role: crate::report::figure::Role::Query,
        };
        let figure = Figure {
            id: "timeline".to_owned(),
            caption: "Queries & <errors>".to_owned(),
            width: 200.0,
            height: 50.0,
            shapes: vec![shape],
        };
        let out = bytes(&Document::read("t", "foot", ("![x](figure:timeline)\n", ""), vec![figure])).unwrap();
        let mut archive = zip::ZipArchive::new(io::Cursor::new(out)).unwrap();
        let mut read = |name: &str| {
            let mut content = Vec::new();
            archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
            content
        };
        assert!(read("word/media/figure1.png").starts_with(b"\x89PNG"));
        let body = String::from_utf8(read("word/document.xml")).unwrap();
        assert!(
            body.contains("r:embed=\"figure1\"") && body.contains("descr=\"Queries &amp; &lt;errors&gt;\"")
        );
        let relations = String::from_utf8(read("word/_rels/document.xml.rels")).unwrap();
        assert!(relations.contains("Id=\"figure1\"") && relations.contains("media/figure1.png"));
    }
}
