// The globals a pickle may name: numpy arrays, their scalars and dtypes, and Python 2's ways to write bytes.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.h"
#include "core/pickle_value.h"

namespace likeness::pickle {
namespace {

// numpy 2 moved numpy.core to numpy._core.
std::string canonical(std::string name) {
  if (name.starts_with("numpy._core.")) name.replace(0, 12, "numpy.core.");
  if (name.starts_with("__builtin__ ")) name.replace(0, 12, "builtins ");
  return name;
}

constexpr std::array kGlobals = {
    "_codecs encode",
    "builtins bytes",
    "builtins bytearray",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray _reconstruct",
    "numpy.core.multiarray scalar",
    "numpy.core.numeric _frombuffer",
};

// Storages are named by the type of their numbers.
constexpr std::array kTorchGlobals = {
    "collections OrderedDict", "torch FloatStorage", "torch DoubleStorage", "torch HalfStorage",
    "torch BFloat16Storage",   "torch LongStorage",  "torch IntStorage",    "torch ShortStorage",
    "torch CharStorage",       "torch ByteStorage",  "torch BoolStorage",
};
constexpr std::array kTorchCalls = {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"};

// Python 2 pickles its `str`, which is bytes, where Python 3 pickles text.
std::string text_of(const PickleValue& v, const Site& site) {
  if (v.kind == Kind::kText) return v.text;
  if (v.kind == Kind::kBytes) return {reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()};
  refuse(site.where, site.at, "a text is missing");
}

const PickleValue& argument(const PickleValue& tuple, std::size_t i, const Site& site) {
  if (tuple.kind != Kind::kTuple || i >= tuple.items.size())
    refuse(site.where, site.at, "arguments do not fit the call");
  return *tuple.items[i];
}

void own_bytes(Node& out, std::vector<std::byte> bytes) {
  out.kind = Kind::kBytes;
  out.storage = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  out.bytes = *out.storage;
}

// Text of code points up to 255 back to the bytes they stand for.
void encode_latin1(const PickleValue& arguments, Node& out, const Site& site) {
  const std::string encoding = text_of(argument(arguments, 1, site), site);
  if (encoding != "latin1" && encoding != "latin-1")
    refuse(site.where, site.at, "encoding is not allowed", "latin1", encoding);
  const std::string text = text_of(argument(arguments, 0, site), site);
  std::vector<std::byte> bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes.push_back(std::byte(lead));
    } else if ((lead == 0xc2 || lead == 0xc3) && i + 1 < text.size()) {
      bytes.push_back(std::byte(((lead & 3) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3f)));
    } else {
      refuse(site.where, site.at, "text is not latin1", "code points up to 255");
    }
  }
  own_bytes(out, std::move(bytes));
}

void make_bytes(const PickleValue& arguments, Node& out, const Site& site) {
  if (arguments.kind == Kind::kTuple && arguments.items.empty()) return own_bytes(out, {});
  if (arguments.items.size() == 2) return encode_latin1(arguments, out, site);
  const PickleValue& from = argument(arguments, 0, site);
  if (from.kind != Kind::kBytes) refuse(site.where, site.at, "bytes can be made from bytes only");
  out.kind = Kind::kBytes;
  out.bytes = from.bytes;
  out.storage = from.storage;
}

std::int64_t item_size(const std::string& dtype, const Site& site) {
  static constexpr std::array kTypes = {"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"};
  if (std::find(kTypes.begin(), kTypes.end(), dtype) == kTypes.end())
    refuse(site.where, site.at, "array of a type that is not allowed", "b1, u1 … u8, i1 … i8, f2 … f8",
           dtype.substr(0, 20));
  return dtype[1] - '0';
}

// "<i4", "|u1" or "i4" -> "i4"; arrays written by big-endian machines are refused.
std::string plain_dtype(std::string text, const Site& site) {
  if (!text.empty() && std::strchr("<|=>", text[0])) {
    const bool big = text[0] == '>';
    text.erase(0, 1);
    if (big && item_size(text, site) > 1) refuse(site.where, site.at, "big-endian arrays are not read");
  }
  item_size(text, site);
  return text;
}

const PickleValue& dtype_argument(const PickleValue& v, const Site& site) {
  if (v.kind != Kind::kObject || !v.text.starts_with("numpy dtype "))
    refuse(site.where, site.at, "a numpy dtype is missing");
  return v;
}

std::string dtype_name(const PickleValue& v) { return v.text.substr(std::strlen("numpy dtype ")); }

void fill_array(Node& out, const PickleValue& shape, const std::string& dtype, bool fortran, const PickleValue& data,
                const Site& site) {
  if (shape.kind != Kind::kTuple || data.kind != Kind::kBytes)
    refuse(site.where, site.at, "a numpy array lacks its shape or bytes");
  std::int64_t left = static_cast<std::int64_t>(data.bytes.size()), elements = 1;
  for (const auto& extent : shape.items) {
    const std::int64_t n = extent->kind == Kind::kInt ? extent->integer : -1;
    if (n < 0 || (n > 0 && elements > left / n))
      refuse(site.where, site.at, "a numpy array has more elements than bytes");
    elements *= n;
    out.array.shape.push_back(n);
  }
  if (elements * item_size(dtype, site) != left)
    refuse(site.where, site.at, "a numpy array's bytes do not fill its shape");
  out.kind = Kind::kArray;
  out.array.dtype = dtype;
  out.array.fortran_order = fortran;
  out.array.data = data.bytes;
  out.storage = data.storage;
}

bool truth(const PickleValue& v) { return v.kind == Kind::kBool ? v.boolean : v.integer != 0; }

template <class T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// numpy.core.multiarray.scalar(dtype, bytes)
void make_scalar(const PickleValue& arguments, Node& out, const Site& site) {
  const std::string dtype = dtype_name(dtype_argument(argument(arguments, 0, site), site));
  const std::span<const std::byte> b = argument(arguments, 1, site).bytes;
  if (static_cast<std::int64_t>(b.size()) != item_size(dtype, site))
    refuse(site.where, site.at, "a numpy scalar has the wrong number of bytes");
  if (dtype == "b1") {
    out.kind = Kind::kBool;
    out.boolean = b[0] != std::byte{0};
  } else if (dtype[0] == 'f') {
    if (dtype == "f2") refuse(site.where, site.at, "half precision scalars are not read");
    out.kind = Kind::kFloat;
    out.real = dtype == "f4" ? load<float>(b) : load<double>(b);
  } else {
    out.kind = Kind::kInt;
    std::uint64_t bits = 0;
    std::memcpy(&bits, b.data(), b.size());
    const int spare = 64 - 8 * static_cast<int>(b.size());
    if (dtype == "u8" && bits >> 63) refuse(site.where, site.at, "a whole number does not fit 64 bits");
    out.integer = dtype[0] == 'i' ? static_cast<std::int64_t>(bits << spare) >> spare : static_cast<std::int64_t>(bits);
  }
}

}  // namespace

void refuse(const std::string& where, std::size_t at, const std::string& what, const std::string& expected,
            const std::string& got) {
  fail_data({"pickle is refused: " + what, where + ", byte " + std::to_string(at), expected, got,
             "only plain values, arrays and tensors are read; nothing in the file is ever run"});
}

bool known_global(const std::string& name, PickleGlobals globals) {
  const auto among = [plain = canonical(name)](const auto& names) {
    return std::find(names.begin(), names.end(), plain) != names.end();
  };
  return among(kGlobals) || (globals == PickleGlobals::kTorch && (among(kTorchGlobals) || among(kTorchCalls)));
}

bool kept_call(const std::string& name) {
  return std::find(kTorchCalls.begin(), kTorchCalls.end(), name) != kTorchCalls.end();
}

void call_global(const std::string& name, const PickleValue& arguments, Node& out, const Site& site) {
  const std::string plain = canonical(name);
  if (plain == "_codecs encode") return encode_latin1(arguments, out, site);
  if (plain == "builtins bytes" || plain == "builtins bytearray") return make_bytes(arguments, out, site);
  if (plain == "numpy.core.multiarray scalar") return make_scalar(arguments, out, site);
  if (plain == "collections OrderedDict") {
    if (arguments.kind != Kind::kTuple || !arguments.items.empty())
      refuse(site.where, site.at, "an ordered dict is made empty and filled afterwards");
    out.kind = Kind::kDict;
    return;
  }
  if (plain == "numpy dtype") {
    out.kind = Kind::kObject;
    out.text = "numpy dtype " + plain_dtype(text_of(argument(arguments, 0, site), site), site);
    return;
  }
  if (plain == "numpy.core.multiarray _reconstruct") {  // an empty array that BUILD fills
    out.kind = Kind::kObject;
    out.text = "numpy ndarray";
    return;
  }
  if (plain == "numpy.core.numeric _frombuffer") {  // (buffer, dtype, shape, order)
    const std::string dtype = dtype_name(dtype_argument(argument(arguments, 1, site), site));
    const bool fortran = text_of(argument(arguments, 3, site), site) == "F";
    return fill_array(out, argument(arguments, 2, site), dtype, fortran, argument(arguments, 0, site), site);
  }
  refuse(site.where, site.at, "this may not be called", "", name);
}

void build_object(Node& object, const PickleValue& state, const Site& site) {
  if (object.kind == Kind::kObject && object.text == "numpy ndarray") {  // (version, shape, dtype, is_fortran, bytes)
    const std::string dtype = dtype_name(dtype_argument(argument(state, 2, site), site));
    return fill_array(object, argument(state, 1, site), dtype, truth(argument(state, 3, site)),
                      argument(state, 4, site), site);
  }
  if (object.kind == Kind::kObject && object.text.starts_with("numpy dtype ")) {  // (version, byte order, …)
    plain_dtype(text_of(argument(state, 1, site), site) + dtype_name(object), site);
    return;
  }
  refuse(site.where, site.at, "this has no state to set");
}

}  // namespace likeness::pickle
