// The safetensors format: u64 header length, JSON header {name: {dtype, shape, data_offsets}}, tensor bytes.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "model/graph/weights.h"

namespace likeness::model {
namespace {

using Json = nlohmann::ordered_json;

// The format's own limit; it keeps a hostile length from being believed.
constexpr std::uint64_t kLongestHeader = 100'000'000;

struct Type {
  const char* name;
  std::int64_t size;
};
constexpr Type kTypes[] = {{"F64", 8},     {"I64", 8},     {"U64", 8},  {"F32", 4}, {"I32", 4},
                           {"U32", 4},     {"F16", 2},     {"BF16", 2}, {"I16", 2}, {"U16", 2},
                           {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I8", 1},   {"U8", 1},  {"BOOL", 1}};

std::int64_t type_size(const std::string& dtype) {
  for (const Type& t : kTypes) {
    if (dtype == t.name) return t.size;
  }
  return 0;
}

[[noreturn]] void refuse(const std::string& where, const std::string& expected, const std::string& got) {
  fail_data({"not a valid safetensors file", where, expected, got, ""});
}

// Parses the header, refusing a name that occurs twice: JSON libraries keep the last one silently.
Json parse_header(std::string_view text, const std::string& where) {
  std::set<std::string> names;
  std::string repeated;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second) {
      repeated = value.get<std::string>();
    }
    return true;
  };
  Json header = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (header.is_discarded() || !header.is_object()) refuse(where, "a JSON object as header", "something else");
  if (!repeated.empty()) refuse(where, "every tensor once", "\"" + repeated + "\" twice");
  return header;
}

struct Extent {
  std::uint64_t begin, end;
};

// The entry's dtype and shape into `tensor`; returns where its bytes lie.
Extent parse_entry(const Json& entry, const std::string& where, WeightTensor* tensor) {
  try {
    if (entry.size() != 3) refuse(where, "dtype, shape and data_offsets", entry.dump().substr(0, 80));
    tensor->dtype = entry.at("dtype").get<std::string>();
    const std::int64_t size = type_size(tensor->dtype);
    if (size == 0) refuse(where, "a known dtype", tensor->dtype);
    std::uint64_t bytes = static_cast<std::uint64_t>(size);
    const Json& shape = entry.at("shape");
    if (!shape.is_array()) refuse(where, "a shape [sizes]", shape.dump().substr(0, 80));
    for (const Json& n : shape) {
      if (!n.is_number_unsigned()) refuse(where, "sizes that are whole numbers", n.dump());
      tensor->shape.push_back(n.get<std::int64_t>());
      if (tensor->shape.back() < 0 || __builtin_mul_overflow(bytes, n.get<std::uint64_t>(), &bytes)) {
        refuse(where, "a shape that fits in memory", shape.dump().substr(0, 80));
      }
    }
    const Json& offsets = entry.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      refuse(where, "data_offsets [begin, end]", offsets.dump().substr(0, 80));
    }
    const Extent extent{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
    if (extent.end < extent.begin || extent.end - extent.begin != bytes) {
      refuse(where, std::to_string(bytes) + " bytes for " + tensor->dtype + " " + shape.dump().substr(0, 80),
             "offsets " + offsets.dump());
    }
    return extent;
  } catch (const nlohmann::json::exception&) {
    refuse(where, "{\"dtype\":…,\"shape\":[…],\"data_offsets\":[begin,end]}", entry.dump().substr(0, 80));
  }
}

std::map<std::string, std::string> parse_metadata(const Json& json, const std::string& where) {
  std::map<std::string, std::string> metadata;
  if (!json.is_object()) refuse(where + ", __metadata__", "an object of texts", json.dump().substr(0, 80));
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) refuse(where + ", __metadata__, " + key, "a text", value.dump().substr(0, 80));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

}  // namespace

Weights parse_safetensors(std::span<const std::byte> bytes, const std::string& where) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) refuse(where, "8 bytes of header length", std::to_string(bytes.size()) + " bytes");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kLongestHeader || length > bytes.size() - sizeof length) {
    refuse(where, "a header that fits in the file of " + std::to_string(bytes.size()) + " bytes",
           "header length " + std::to_string(length));
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof length;
  const Json header = parse_header({text, length}, where);
  const std::span<const std::byte> data = bytes.subspan(sizeof length + length);

  Weights weights;
  struct Piece {
    Extent extent;
    const std::string* name;
    WeightTensor* tensor;
  };
  std::vector<Piece> pieces;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      weights.metadata = parse_metadata(entry, where);
      continue;
    }
    const auto it = weights.tensors.emplace(name, WeightTensor{}).first;
    pieces.push_back({parse_entry(entry, where + ", tensor " + name, &it->second), &it->first, &it->second});
  }
  // Sorted by place, every tensor begins where the one before ends: no overlap, no hidden bytes.
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return a.extent.begin != b.extent.begin ? a.extent.begin < b.extent.begin : a.extent.end < b.extent.end;
  });
  std::uint64_t at = 0;
  for (const Piece& piece : pieces) {
    const std::string here = where + ", tensor " + *piece.name;
    if (piece.extent.begin != at)
      refuse(here, "data at " + std::to_string(at), "data at " + std::to_string(piece.extent.begin));
    if (piece.extent.end > data.size()) {
      refuse(here, std::to_string(piece.extent.end) + " bytes of data",
             std::to_string(data.size()) + ": the file is truncated");
    }
    piece.tensor->data.assign(data.begin() + piece.extent.begin, data.begin() + piece.extent.end);
    at = piece.extent.end;
  }
  if (at != data.size()) {
    refuse(where, std::to_string(at) + " bytes of data", std::to_string(data.size()) + ": bytes that no tensor claims");
  }
  return weights;
}

Weights read_safetensors(const std::filesystem::path& path) {
  const MappedFile file(path);
  file.advise_sequential();
  return parse_safetensors(file.bytes(), path.string());
}

void write_safetensors(const std::filesystem::path& path, const Weights& weights, IfExists if_exists) {
  // The format's own library writes wide types first, so that every tensor is aligned; then by name.
  std::vector<const std::pair<const std::string, WeightTensor>*> order;
  for (const auto& entry : weights.tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return type_size(a->second.dtype) > type_size(b->second.dtype);
  });
  Json header = Json::object();
  if (!weights.metadata.empty()) header["__metadata__"] = weights.metadata;
  std::uint64_t at = 0;
  for (const auto* entry : order) {
    const WeightTensor& t = entry->second;
    LIKENESS_ASSERT(type_size(t.dtype) > 0);
    LIKENESS_ASSERT(static_cast<std::int64_t>(t.data.size()) == t.elements() * type_size(t.dtype));
    header[entry->first] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {at, at + t.data.size()}}};
    at += t.data.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();

  write_atomically(path, if_exists, [&](const std::filesystem::path& temporary) {
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) fail_environment({"file cannot be written", path.string(), "", std::strerror(errno), ""});
    try {
      write_all(fd, std::as_bytes(std::span(&length, 1)), path);
      write_all(fd, std::as_bytes(std::span(text)), path);
      for (const auto* entry : order) write_all(fd, entry->second.data, path);
    } catch (...) {
      close(fd);
      throw;
    }
    if (close(fd) != 0) fail_environment({"file cannot be written", path.string(), "", std::strerror(errno), ""});
  });
}

}  // namespace likeness::model
