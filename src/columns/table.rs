//! Rows of one table, gathered as columns and written as Parquet a group at a time.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::schema::{Column, Kind, Table};
use super::{SCHEMA, rules_hash};
use crate::decode::Address;
use crate::time::Nanos;

/// Rows of a group: what engines read at a time.
const GROUP_ROWS: usize = 122_880;
/// Bytes of an address column.
const ADDRESS_BYTES: usize = 16;
/// How hard zstd tries: more makes the lake little smaller and takes longer.
const ZSTD_LEVEL: i32 = 1;

/// The values of one column since the last group.
enum Data {
    Bytes { bytes: Vec<u8>, ends: Vec<usize>, levels: Vec<i16> },
    Int32 { values: Vec<i32>, levels: Vec<i16> },
    Int64 { values: Vec<i64>, levels: Vec<i16> },
    Bool { values: Vec<bool>, levels: Vec<i16> },
    Texts { bytes: Vec<u8>, ends: Vec<usize>, levels: Vec<i16>, repeats: Vec<i16> },
}

impl Data {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Address => {
                Self::Bytes { bytes: Vec::new(), ends: Vec::new(), levels: Vec::new() }
            }
            Kind::Int32 => Self::Int32 { values: Vec::new(), levels: Vec::new() },
            Kind::Int64 | Kind::Moment => Self::Int64 { values: Vec::new(), levels: Vec::new() },
            Kind::Bool => Self::Bool { values: Vec::new(), levels: Vec::new() },
            Kind::Texts => {
                Self::Texts { bytes: Vec::new(), ends: Vec::new(), levels: Vec::new(), repeats: Vec::new() }
            }
        }
    }
}

/// Writes the rows of one table.
pub struct Rows {
    table: &'static Table,
    data: Vec<Data>,
    /// The column that the next value belongs to.
    at: usize,
    /// Rows since the last group, and in all.
    waiting: usize,
    count: u64,
    /// A value did not fit its column: the program's own fault.
    is_wrong: bool,
    writer: SerializedFileWriter<BufWriter<File>>,
}

impl Rows {
    /// Begins a table in a new file.
    pub fn new(table: &'static Table, file: File) -> Result<Self> {
        let schema = schema(table)?;
        let writer = SerializedFileWriter::new(BufWriter::new(file), schema, Arc::new(properties(table)?))?;
        let data = table.columns().map(|column| Data::of(column.kind)).collect();
        Ok(Self { table, data, at: 0, waiting: 0, count: 0, is_wrong: false, writer })
    }

    /// Writes what waits, and ends the file once the disk has it; gives the number of rows.
    pub fn finish(mut self) -> Result<u64> {
        // A table without rows has no file.
        if self.count == 0 {
            return Ok(0);
        }
        self.flush()?;
        let mut out = self.writer.into_inner()?;
        out.flush()?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(self.count)
    }

    fn column(&mut self) -> Option<&mut Data> {
        let at = self.at;
        self.at += 1;
        self.data.get_mut(at)
    }

    /// The next value is a text; `write` adds it to the bytes.
    fn bytes(&mut self, write: Option<impl FnOnce(&mut Vec<u8>)>) {
        match self.column() {
            Some(Data::Bytes { bytes, ends, levels }) => {
                levels.push(i16::from(write.is_some()));
                if let Some(write) = write {
                    write(bytes);
                    ends.push(bytes.len());
                }
            }
            _ => self.is_wrong = true,
        }
    }

    /// The next value is a text.
    pub fn text(&mut self, text: Option<&str>) {
        self.bytes(text.map(|text| |bytes: &mut Vec<u8>| bytes.extend_from_slice(text.as_bytes())));
    }

    /// The next value is a text that is made by printing.
    pub fn shown(&mut self, text: Option<impl Display>) {
        // Writing to memory cannot fail.
        self.bytes(text.map(|text| move |bytes: &mut Vec<u8>| drop(write!(bytes, "{text}"))));
    }

    /// The next value is a host: its number, its name where a text names it, its hardware address where it has no other yet.
    pub fn host(&mut self, host: Address) {
        let host = host.bare();
        match host.name() {
            Some(name) => self.text(Some(&crate::text::escape(&name.to_string()))),
            None => self.shown((host != Address::None).then_some(host)),
        }
    }

    /// The next two values are a host and its 16 bytes.
    pub fn host_and_bytes(&mut self, host: Address) {
        self.host(host);
        let octets = host.ip().map(|ip| match ip {
            std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(v6) => v6.octets(),
        });
        self.bytes(octets.map(|octets| move |bytes: &mut Vec<u8>| bytes.extend_from_slice(&octets)));
    }

    /// The next value is a number.
    pub fn number(&mut self, number: Option<i64>) {
        match self.column() {
            Some(Data::Int64 { values, levels }) => {
                levels.push(i16::from(number.is_some()));
                values.extend(number);
            }
            _ => self.is_wrong = true,
        }
    }

    /// The next value is a small number.
    pub fn small(&mut self, number: Option<i32>) {
        match self.column() {
            Some(Data::Int32 { values, levels }) => {
                levels.push(i16::from(number.is_some()));
                values.extend(number);
            }
            _ => self.is_wrong = true,
        }
    }

    /// The next value is yes or no.
    pub fn truth(&mut self, truth: Option<bool>) {
        match self.column() {
            Some(Data::Bool { values, levels }) => {
                levels.push(i16::from(truth.is_some()));
                values.extend(truth);
            }
            _ => self.is_wrong = true,
        }
    }

    /// The next value is a moment.
    pub fn moment(&mut self, time_ns: Option<Nanos>) {
        self.number(time_ns.map(|time_ns| time_ns.div_euclid(1_000)));
    }

    /// The next value is several texts.
    pub fn texts<T: Display>(&mut self, all: impl IntoIterator<Item = T>) {
        let Some(Data::Texts { bytes, ends, levels, repeats }) = self.column() else {
            self.is_wrong = true;
            return;
        };
        let before = levels.len();
        for text in all {
            repeats.push(i16::from(levels.len() > before));
            levels.push(2);
            let _ = write!(bytes, "{text}");
            ends.push(bytes.len());
        }
        if levels.len() == before {
            levels.push(0);
            repeats.push(0);
        }
    }

    /// The row is complete.
    pub fn end(&mut self) -> Result<()> {
        if self.is_wrong || self.at != self.data.len() {
            bail!("a row does not fit table {}", self.table.name);
        }
        self.at = 0;
        self.waiting += 1;
        self.count += 1;
        if self.waiting == GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting == 0 {
            return Ok(());
        }
        self.waiting = 0;
        let mut group = self.writer.next_row_group()?;
        for (column, data) in self.table.columns().zip(&mut self.data) {
            let mut writer = group.next_column()?.context("fewer columns than the schema has")?;
            put(&mut writer, column, std::mem::replace(data, Data::of(column.kind)))?;
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

fn put(writer: &mut SerializedColumnWriter<'_>, column: &Column, data: Data) -> Result<()> {
    let some = |levels: Vec<i16>| (!column.required).then_some(levels);
    match data {
        Data::Bytes { bytes, ends, levels } => {
            let levels = some(levels);
            if column.kind == Kind::Address {
                let values: Vec<FixedLenByteArray> =
                    slices(bytes, &ends).map(FixedLenByteArray::from).collect();
                writer.typed::<FixedLenByteArrayType>().write_batch(&values, levels.as_deref(), None)?;
            } else {
                let values: Vec<ByteArray> = slices(bytes, &ends).collect();
                writer.typed::<ByteArrayType>().write_batch(&values, levels.as_deref(), None)?;
            }
        }
        Data::Texts { bytes, ends, levels, repeats } => {
            let values: Vec<ByteArray> = slices(bytes, &ends).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), Some(&repeats))?;
        }
        Data::Int32 { values, levels } => {
            writer.typed::<Int32Type>().write_batch(&values, some(levels).as_deref(), None)?;
        }
        Data::Int64 { values, levels } => {
            writer.typed::<Int64Type>().write_batch(&values, some(levels).as_deref(), None)?;
        }
        Data::Bool { values, levels } => {
            writer.typed::<BoolType>().write_batch(&values, some(levels).as_deref(), None)?;
        }
    }
    Ok(())
}

/// Texts that stand end to end, each by itself; none is copied.
fn slices(bytes: Vec<u8>, ends: &[usize]) -> impl Iterator<Item = ByteArray> {
    let all = ByteArray::from(bytes);
    let starts = std::iter::once(&0).chain(ends);
    starts.zip(ends).map(move |(start, end)| all.slice(*start, end - start))
}

/// The table as Parquet describes it.
fn schema(table: &Table) -> Result<TypePtr> {
    let mut fields = Vec::new();
    for column in table.columns() {
        let repetition = if column.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let plain =
            |physical| Type::primitive_type_builder(column.name, physical).with_repetition(repetition);
        let text = || Some(LogicalType::String);
        let field = match column.kind {
            Kind::Text => plain(Physical::BYTE_ARRAY).with_logical_type(text()).build()?,
            Kind::Int32 => plain(Physical::INT32).build()?,
            Kind::Int64 => plain(Physical::INT64).build()?,
            Kind::Bool => plain(Physical::BOOLEAN).build()?,
            Kind::Moment => {
                let moment = LogicalType::timestamp(true, TimeUnit::MICROS);
                plain(Physical::INT64).with_logical_type(Some(moment)).build()?
            }
            Kind::Address => {
                plain(Physical::FIXED_LEN_BYTE_ARRAY).with_length(ADDRESS_BYTES as i32).build()?
            }
            Kind::Texts => {
                let element = Type::primitive_type_builder("element", Physical::BYTE_ARRAY)
                    .with_repetition(Repetition::REQUIRED)
                    .with_logical_type(text())
                    .build()?;
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![Arc::new(element)])
                    .build()?;
                Type::group_type_builder(column.name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![Arc::new(list)])
                    .build()?
            }
        };
        fields.push(Arc::new(field));
    }
    Ok(Arc::new(Type::group_type_builder(table.name).with_fields(fields).build()?))
}

fn properties(table: &Table) -> Result<WriterProperties> {
    let tool = concat!("portmortem ", env!("CARGO_PKG_VERSION"));
    let key = |name: &str, value: String| KeyValue::new(format!("portmortem.{name}"), value);
    let keys = vec![
        key("schema", SCHEMA.to_owned()),
        key("table", table.name.to_owned()),
        key("tool", tool.to_owned()),
        key("rules", rules_hash()),
    ];
    let mut properties = WriterProperties::builder()
        .set_created_by(tool.to_owned())
        .set_key_value_metadata(Some(keys))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for column in table.columns() {
        let path = match column.kind {
            Kind::Texts => vec![column.name.to_owned(), "list".to_owned(), "element".to_owned()],
            _ => vec![column.name.to_owned()],
        };
        let path = ColumnPath::new(path);
        if column.kind == Kind::Texts {
            properties = properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
        if column.distinct {
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    Ok(properties.build())
}
