#include "tests/support/npz.h"

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace likeness::test {
namespace {

template <class T> T load(const std::byte* p) { T v; std::memcpy(&v, p, sizeof v); return v; }

template <class Out> std::vector<Out> convert(const Array& a) {
  std::vector<Out> out(static_cast<std::size_t>(a.elements()));
  const std::byte* p = a.data.data();
  auto fill = [&]<class T>(T) { for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Out>(load<T>(p + i * sizeof(T))); };
  const std::string t = a.dtype.substr(1);
  if (t == "f8") fill(double{});
  else if (t == "f4") fill(float{});
  else if (t == "i8") fill(std::int64_t{});
  else if (t == "i4") fill(std::int32_t{});
  else if (t == "i2") fill(std::int16_t{});
  else if (t == "u8") fill(std::uint64_t{});
  else if (t == "u4") fill(std::uint32_t{});
  else if (t == "u1" || t == "b1") fill(std::uint8_t{});
  else if (t == "i1") fill(std::int8_t{});
  else throw std::runtime_error("npz: dtype " + a.dtype + " is not read");
  return out;
}

Array parse_npy(const std::byte* p, std::size_t size, const std::string& where) {
  if (size < 12 || std::memcmp(p, "\x93NUMPY", 6) != 0) throw std::runtime_error(where + ": not an .npy member");
  const int major = static_cast<int>(p[6]);
  const std::size_t at = major == 1 ? 10 : 12;
  const std::size_t length = major == 1 ? load<std::uint16_t>(p + 8) : load<std::uint32_t>(p + 8);
  const std::string header(reinterpret_cast<const char*>(p) + at, length);
  Array a;
  const auto d = header.find("'descr': '") + 10;
  a.dtype = header.substr(d, header.find('\'', d) - d);
  if (header.find("'fortran_order': False") == std::string::npos) throw std::runtime_error(where + ": not in C order");
  const auto s = header.find("'shape': (") + 10;
  const std::string shape = header.substr(s, header.find(')', s) - s);
  for (std::size_t i = 0; i < shape.size();) {
    if (shape[i] < '0' || shape[i] > '9') { ++i; continue; }
    std::size_t used = 0;
    a.shape.push_back(std::stoll(shape.substr(i), &used));
    i += used;
  }
  a.data.assign(p + at + length, p + size);
  return a;
}

}  // namespace

std::int64_t Array::elements() const {
  std::int64_t n = 1;
  for (std::int64_t s : shape) n *= s;
  return n;
}
std::vector<double> Array::as_double() const { return convert<double>(*this); }
std::vector<float> Array::as_float() const { return convert<float>(*this); }
std::vector<std::int64_t> Array::as_int() const { return convert<std::int64_t>(*this); }

Npz::Npz(const std::filesystem::path& path) : path_(path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("npz: cannot open " + path.string());
  std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  const auto* p = reinterpret_cast<const std::byte*>(bytes.data());
  std::size_t at = 0;
  while (at + 30 <= bytes.size() && load<std::uint32_t>(p + at) == 0x04034b50u) {  // local file headers, one after another
    const auto method = load<std::uint16_t>(p + at + 8);
    std::uint64_t size = load<std::uint32_t>(p + at + 18);
    const auto name_length = load<std::uint16_t>(p + at + 26), extra_length = load<std::uint16_t>(p + at + 28);
    std::string name(reinterpret_cast<const char*>(p) + at + 30, name_length);
    if (size == 0xffffffffu) size = load<std::uint64_t>(p + at + 30 + name_length + 4 + 8);  // zip64: uncompressed, compressed
    if (method != 0) throw std::runtime_error("npz: " + path.string() + " is deflated; store it");
    const std::size_t body = at + 30 + name_length + extra_length;
    if (name.size() > 4 && name.ends_with(".npy")) name.resize(name.size() - 4);
    arrays_.emplace(name, parse_npy(p + body, size, path.string() + ": " + name));
    at = body + size;
  }
}

const Array& Npz::at(const std::string& name) const {
  auto it = arrays_.find(name);
  if (it == arrays_.end()) throw std::runtime_error("npz: " + path_.string() + " has no array " + name);
  return it->second;
}

}  // namespace likeness::test
