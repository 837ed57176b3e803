//! Arrays in files as NumPy writes them.

/// A file of version 1.0 with elements of this type, in this shape, that has these bytes.
#[must_use]
pub fn npy(descr: &str, shape: &str, data: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // What precedes the elements is a multiple of 64 bytes.
    let head = format!("{head:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(head.len()).expect("a short header").to_le_bytes());
    file.extend(head.bytes());
    file.extend(data);
    file
}
