//! Figures of a report as plain shapes: the timeline of queries, answers and errors, and the ladder of one episode.

use std::fmt::Write as _;

use crate::correlate::{Episode, Evidence};
use crate::decode::Address;
use crate::index::{Index, PacketId, segment::flags};
use crate::protocols::ProtocolId;
use crate::time;

/// Messages drawn in a ladder; the caption says what was left out.
pub const LADDER_MAX: usize = 12;
/// About the width of a letter of a figure.
const LETTER: f32 = 5.2;
/// Columns of the timeline when there are too many messages for one mark each.
const BINS: usize = 120;
/// Up to this many DNS messages and ICMP errors get a mark of their own.
const MARKS_MAX: usize = 90;

/// What a shape stands for; the writer chooses the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Text.
    Ink,
    /// Axes, secondary text.
    Muted,
    /// A DNS query.
    Query,
    /// A DNS answer.
    Answer,
    /// An ICMP error.
    Error,
}

impl Role {
    /// The class in SVG.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ink => "ink",
            Self::Muted => "muted",
            Self::Query => "query",
            Self::Answer => "answer",
            Self::Error => "error",
        }
    }

    /// Red, green and blue on white paper.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Ink => [0x1f, 0x23, 0x28],
            Self::Muted => [0x6b, 0x72, 0x80],
            Self::Query => [0x1d, 0x63, 0xb8],
            Self::Answer => [0x1a, 0x7f, 0x4b],
            Self::Error => [0xc2, 0x2f, 0x2f],
        }
    }
}

/// Where a text's position lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// At its start.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

/// One shape; units are points, y grows downwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A straight line.
    Line {
        /// Start.
        from: (f32, f32),
        /// End.
        to: (f32, f32),
        /// Meaning.
        role: Role,
        /// Width.
        width: f32,
        /// Drawn in dashes.
        dashed: bool,
        /// With an arrow head at `to`.
        arrow: bool,
    },
    /// A filled rectangle.
    Rect {
        /// Left, top, width, height.
        area: (f32, f32, f32, f32),
        /// Meaning.
        role: Role,
    },
    /// Text on one line, already escaped for display.
    Text {
        /// Base line position.
        at: (f32, f32),
        /// Size.
        size: f32,
        /// Alignment.
        anchor: Anchor,
        /// Meaning.
        role: Role,
        /// The text.
        text: String,
    },
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Stable id (`timeline`, `ladder`); templates refer to it as `figure:ID`.
    pub id: String,
    /// What it shows, in a sentence.
    pub caption: String,
    /// Width in points.
    pub width: f32,
    /// Height in points.
    pub height: f32,
    /// The shapes, back to front.
    pub shapes: Vec<Shape>,
}

impl Figure {
    fn new(id: &str, caption: String, width: f32, height: f32) -> Self {
        Self { id: id.to_owned(), caption, width, height, shapes: Vec::new() }
    }

    fn text(&mut self, at: (f32, f32), anchor: Anchor, role: Role, text: impl Into<String>) {
        self.shapes.push(Shape::Text { at, size: 9.0, anchor, role, text: text.into() });
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), role: Role) {
        self.shapes.push(Shape::Line { from, to, role, width: 1.0, dashed: false, arrow: false });
    }

    /// The figure as an SVG element whose colours come from CSS classes, with plain colours as a fall-back.
    pub fn svg(&self) -> String {
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{}\" font-family=\"sans-serif\">",
            self.width,
            self.height,
            xml(&self.caption)
        );
        for shape in &self.shapes {
            svg_shape(&mut out, shape);
        }
        out.push_str("</svg>");
        out
    }
}

fn svg_shape(out: &mut String, shape: &Shape) {
    let colour = |role: Role| {
        let [red, green, blue] = role.rgb();
        format!("#{red:02x}{green:02x}{blue:02x}")
    };
    let _ = match shape {
        Shape::Line { from, to, role, width, dashed, arrow } => {
            let dashes = if *dashed { " stroke-dasharray=\"4 3\"" } else { "" };
            let _ = write!(
                out,
                "<line class=\"l-{}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{}\" stroke-width=\"{width}\"{dashes}/>",
                role.class(),
                from.0,
                from.1,
                to.0,
                to.1,
                colour(*role)
            );
            if *arrow {
                let [a, b, c] = arrow_head(*from, *to);
                write!(
                    out,
                    "<polygon class=\"f-{}\" points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" fill=\"{}\"/>",
                    role.class(),
                    a.0,
                    a.1,
                    b.0,
                    b.1,
                    c.0,
                    c.1,
                    colour(*role)
                )
            } else {
                Ok(())
            }
        }
        Shape::Rect { area, role } => write!(
            out,
            "<rect class=\"f-{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            role.class(),
            area.0,
            area.1,
            area.2,
            area.3,
            colour(*role)
        ),
        Shape::Text { at, size, anchor, role, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            write!(
                out,
                "<text class=\"f-{}\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
                role.class(),
                at.0,
                at.1,
                colour(*role),
                xml(text)
            )
        }
    };
}

/// The three corners of the head of an arrow that ends at `to`.
pub fn arrow_head(from: (f32, f32), to: (f32, f32)) -> [(f32, f32); 3] {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(0.001);
    let (ux, uy) = (dx / length, dy / length);
    let back = (to.0 - ux * 7.0, to.1 - uy * 7.0);
    [to, (back.0 - uy * 3.0, back.1 + ux * 3.0), (back.0 + uy * 3.0, back.1 - ux * 3.0)]
}

/// Escapes text for XML and drops characters XML forbids.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(character),
            c if (c as u32) < 0x20 || matches!(c as u32, 0xfffe | 0xffff) => {}
            c => out.push(c),
        }
    }
    out
}

/// All figures a report of this capture can show: the timeline where there is DNS or an ICMP error, and
/// the ladder of the first episode of the gravest problem.
pub fn figures(index: &Index, evidence: &Evidence) -> Vec<Figure> {
    figures_saying(index, evidence, &mut |text| text)
}

/// The same, with every text that quotes the capture changed before it is cut to the room there is.
pub fn figures_saying(
    index: &Index,
    evidence: &Evidence,
    say: &mut dyn FnMut(String) -> String,
) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(timeline(index, evidence));
    let episode = evidence.problems.first().and_then(|problem| problem.episodes.first());
    if let Some(episode) = episode.and_then(|id| evidence.episodes.get(id.0 as usize)) {
        figures.extend(ladder(index, episode, say));
    }
    figures
}

struct Mark {
    packet: PacketId,
    time_ns: i64,
    lane: usize,
}

const LANES: [(Role, &str); 3] =
    [(Role::Query, "queries"), (Role::Answer, "answers"), (Role::Error, "ICMP errors")];

/// Queries, answers and ICMP errors over time; `None` when the capture has none of them.
pub fn timeline(index: &Index, evidence: &Evidence) -> Option<Figure> {
    let mut marks = Vec::new();
    for segment in index.segments() {
        let rows = segment.time_ns.iter().zip(&segment.flags).zip(&segment.protocol).enumerate();
        for (row, ((&time_ns, &bits), &protocol)) in rows {
            let dns = ProtocolId(protocol) == ProtocolId::DNS;
            let lane = match bits {
                bits if bits & flags::ICMP_ERROR != 0 => 2,
                bits if dns && bits & flags::DNS_RESPONSE != 0 => 1,
                bits if dns && bits & flags::DNS_QUERY != 0 => 0,
                _ => continue,
            };
            marks.push(Mark { packet: PacketId(segment.base.0 + row as u32), time_ns, lane });
        }
    }
    let first_ns = marks.iter().map(|mark| mark.time_ns).min()?;
    let last_ns = marks.iter().map(|mark| mark.time_ns).max()?;
    let caption = format!(
        "DNS queries, answers and ICMP errors from {} to {} ({}).",
        index.basis().clock(first_ns),
        index.basis().clock(last_ns),
        time::span(last_ns.saturating_sub(first_ns))
    );
    let mut figure = Figure::new("timeline", caption, 520.0, 130.0);
    let (left, right) = (80.0_f32, 505.0_f32);
    let lane_y = |lane: usize| 28.0 + 30.0 * lane as f32;
    for (lane, (role, label)) in LANES.iter().enumerate() {
        let count = marks.iter().filter(|mark| mark.lane == lane).count();
        figure.text((4.0, lane_y(lane) + 3.0), Anchor::Start, *role, format!("{count} {label}"));
        figure.shapes.push(Shape::Line {
            from: (left, lane_y(lane) + 10.0),
            to: (right, lane_y(lane) + 10.0),
            role: Role::Muted,
            width: 0.4,
            dashed: false,
            arrow: false,
        });
    }
    let span = (last_ns.saturating_sub(first_ns)).max(1) as f64;
    let x_of = |time_ns: i64| left + (time_ns.saturating_sub(first_ns) as f64 / span) as f32 * (right - left);
    if marks.len() <= MARKS_MAX {
        single_marks(&mut figure, evidence, &marks, &|mark| (x_of(mark.time_ns), lane_y(mark.lane)));
    } else {
        binned_marks(&mut figure, &marks, (left, right), &x_of, &lane_y);
    }
    for step in 0..=4_i64 {
        let at = first_ns.saturating_add((span * step as f64 / 4.0) as i64);
        let anchor = match step {
            0 => Anchor::Start,
            4 => Anchor::End,
            _ => Anchor::Middle,
        };
        figure.text((x_of(at), 120.0), anchor, Role::Muted, index.basis().clock(at));
    }
    Some(figure)
}

fn single_marks(
    figure: &mut Figure,
    evidence: &Evidence,
    marks: &[Mark],
    place: &dyn Fn(&Mark) -> (f32, f32),
) {
    for mark in marks {
        let (x, y) = place(mark);
        for link in evidence.links_from(mark.packet) {
            let target = marks.iter().find(|other| Some(other.packet) == link.to);
            if let (2, Some(target)) = (mark.lane, target) {
                let (to_x, to_y) = place(target);
                figure.shapes.push(Shape::Line {
                    from: (x, y),
                    to: (to_x, to_y + 9.0),
                    role: Role::Error,
                    width: 0.8,
                    dashed: true,
                    arrow: false,
                });
            }
        }
        let role = LANES.get(mark.lane).map_or(Role::Ink, |lane| lane.0);
        figure.shapes.push(Shape::Rect { area: (x - 1.2, y - 8.0, 2.4, 17.0), role });
    }
}

fn binned_marks(
    figure: &mut Figure,
    marks: &[Mark],
    (left, right): (f32, f32),
    x_of: &dyn Fn(i64) -> f32,
    lane_y: &dyn Fn(usize) -> f32,
) {
    let mut bins = [[0_u32; BINS]; LANES.len()];
    for mark in marks {
        let bin = ((x_of(mark.time_ns) - left) / (right - left) * BINS as f32) as usize;
        if let Some(count) = bins.get_mut(mark.lane).and_then(|lane| lane.get_mut(bin.min(BINS - 1))) {
            *count += 1;
        }
    }
    let width = (right - left) / BINS as f32;
    for (lane, counts) in bins.iter().enumerate() {
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let role = LANES.get(lane).map_or(Role::Ink, |lane| lane.0);
        for (bin, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = 2.0 + 20.0 * count as f32 / most as f32;
            let area = (left + bin as f32 * width, lane_y(lane) + 10.0 - height, width * 0.85, height);
            figure.shapes.push(Shape::Rect { area, role });
        }
    }
}

/// The first characters of a text that is longer than there is room for, with a mark.
fn cut(text: &str, room: usize) -> String {
    let room = room.max(8);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(std::iter::once('…')).collect()
}

/// The messages of one episode between its hosts, top to bottom.
pub fn ladder(index: &Index, episode: &Episode, say: &mut dyn FnMut(String) -> String) -> Option<Figure> {
    let mut hosts: Vec<Address> = vec![episode.client, episode.server.0];
    let shown: Vec<PacketId> = episode.frames.iter().copied().take(LADDER_MAX).collect();
    for packet in shown.iter().filter_map(|id| index.packet(*id)) {
        for address in [packet.source_address(), packet.destination_address()] {
            if !hosts.contains(&address) && hosts.len() < 4 {
                hosts.push(address);
            }
        }
    }
    let first = index.packet(*shown.first()?)?;
    let left_out = episode.frames.len() - shown.len();
    let mut caption = say(format!(
        "Messages between {} and {} about {}",
        episode.client,
        episode.server.0,
        crate::findings::rules::plain_name(&episode.name)
    ));
    if left_out > 0 {
        let _ = write!(caption, "; {left_out} later messages are left out");
    }
    caption.push('.');
    let height = 46.0 + 26.0 * shown.len() as f32;
    let mut figure = Figure::new("ladder", caption, 520.0, height);
    let (left, right) = (120.0_f32, 455.0_f32);
    let step = (right - left) / (hosts.len() - 1).max(1) as f32;
    let column =
        |address: Address| hosts.iter().position(|host| *host == address).map(|at| left + at as f32 * step);
    for (at, host) in hosts.iter().enumerate() {
        let x = left + at as f32 * step;
        let name = cut(&say(host.to_string()), (step.min(220.0) / LETTER) as usize);
        figure.text((x, 12.0), Anchor::Middle, Role::Ink, name);
        figure.line((x, 18.0), (x, height - 6.0), Role::Muted);
    }
    let mut before_ns = first.time_ns();
    for (row, packet) in shown.iter().filter_map(|id| index.packet(*id)).enumerate() {
        let y = 44.0 + 26.0 * row as f32;
        let bits = packet.flags();
        let role = match bits {
            bits if bits & flags::ICMP_ERROR != 0 => Role::Error,
            bits if bits & flags::DNS_RESPONSE != 0 => Role::Answer,
            bits if bits & flags::DNS_QUERY != 0 => Role::Query,
            _ => Role::Ink,
        };
        let time_ns = packet.time_ns();
        figure.text((4.0, y - 2.0), Anchor::Start, Role::Ink, index.basis().moment(time_ns));
        if row > 0 {
            let delta_ns = time_ns.saturating_sub(before_ns);
            let delta =
                if delta_ns < 0 { "earlier time".to_owned() } else { format!("+{}", time::span(delta_ns)) };
            figure.text((4.0, y + 8.0), Anchor::Start, Role::Muted, delta);
        }
        before_ns = time_ns;
        let ends = (column(packet.source_address()), column(packet.destination_address()));
        if let (Some(from), Some(to)) = ends {
            let arrow = Shape::Line {
                from: (from, y),
                to: (to, y),
                role,
                width: 1.2,
                dashed: role == Role::Error,
                arrow: true,
            };
            figure.shapes.push(arrow);
            let room = ((from - to).abs() / LETTER) as usize;
            let summary = cut(&say(packet.summary()), room);
            figure.text((f32::midpoint(from, to), y - 4.0), Anchor::Middle, role, summary);
        }
        figure.text((516.0, y + 3.0), Anchor::End, Role::Muted, index.label(packet.id));
    }
    Some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_escapes_markup_and_drops_forbidden_characters() {
        assert_eq!(xml("<a href=\"x\">&'\u{1}\u{ffff}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }

    #[test]
    fn an_arrow_head_points_where_the_arrow_goes() {
        let [tip, a, b] = arrow_head((0.0, 0.0), (100.0, 0.0));
        assert_eq!(tip, (100.0, 0.0));
        assert!(a.0 < 100.0 && b.0 < 100.0);
        assert!((a.1 + b.1).abs() < 0.01);
    }
}
