#include "data/verification_bin.h"

#include <cstring>

#include "core/error.h"
#include "core/file.h"
#include "core/pickle.h"
#include "data/source_common.h"

namespace likeness::data {
namespace {

using Kind = PickleValue::Kind;

[[noreturn]] void not_a_pack(const std::string& where, const std::string& got) {
  fail_data({"not a verification pack", where, "a pickle of (list of 2P pictures, list of P booleans)", got, ""});
}

bool is_sequence(const PickleValue& v) { return v.kind == Kind::kList || v.kind == Kind::kTuple; }

std::span<const std::byte> picture_bytes(const PickleValue& v, const std::string& where) {
  if (v.kind == Kind::kBytes) return v.bytes;
  if (v.kind == Kind::kArray && v.array.dtype == "u1") return v.array.data;
  not_a_pack(where, v.kind == Kind::kArray ? "an array of dtype " + v.array.dtype
                                           : "a value that is neither bytes nor a u8 array");
}

// One array of whole numbers or booleans.
std::vector<bool> booleans_of_array(const PickleValue::NdArray& array, const std::string& where) {
  const std::string& t = array.dtype;
  if (t.size() != 2 || (t[0] != 'b' && t[0] != 'u' && t[0] != 'i')) not_a_pack(where, "labels of dtype " + t);
  const std::size_t width = static_cast<std::size_t>(t[1] - '0'), n = array.data.size() / width;
  std::vector<bool> out(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < width; ++k) out[i] = out[i] || array.data[i * width + k] != std::byte{0};
  return out;
}

std::vector<bool> booleans(const PickleValue& v, const std::string& where) {
  if (v.kind == Kind::kArray) return booleans_of_array(v.array, where);
  if (!is_sequence(v)) not_a_pack(where, "no list of booleans");
  std::vector<bool> out;
  for (const auto& item : v.items) {
    if (item->kind != Kind::kBool && item->kind != Kind::kInt)
      not_a_pack(where + ", pair " + std::to_string(out.size()), "a label that is neither true nor false");
    out.push_back(item->kind == Kind::kBool ? item->boolean : item->integer != 0);
  }
  return out;
}

class BinSource : public FaceSource {
 public:
  explicit BinSource(const std::filesystem::path& path)
      : file_(path), pack_(parse_verification_pack(file_.bytes(), path.string())) {
    geometry_ = geometry_of_first(*this);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(pack_.pictures.size()); }
  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>&) const override {
    return pack_.pictures.at(static_cast<std::size_t>(i));
  }
  std::int64_t label(std::int64_t) const override { return -1; }
  std::int64_t identities() const override { return 0; }
  std::string identity_name(std::int64_t) const override { return ""; }
  std::string key(std::int64_t i) const override { return "picture " + std::to_string(i); }
  FaceGeometry geometry() const override { return geometry_; }
  std::optional<Landmarks> landmarks(std::int64_t) const override { return std::nullopt; }
  AttributeTable attributes() const override { return {}; }
  std::string digest() const override { return source_digest(*this); }
  std::filesystem::path path() const override { return file_.path(); }
  std::vector<Pair> pairs() const override {
    std::vector<Pair> out;
    for (std::size_t p = 0; p < pack_.same.size(); ++p)
      out.push_back({static_cast<std::int64_t>(2 * p), static_cast<std::int64_t>(2 * p + 1), pack_.same[p]});
    return out;
  }

 private:
  MappedFile file_;
  VerificationPack pack_;
  FaceGeometry geometry_;
};

}  // namespace

VerificationPack parse_verification_pack(std::span<const std::byte> file, const std::string& where) {
  const auto root = read_pickle(file, where);
  if (!is_sequence(*root) || root->items.size() != 2 || !is_sequence(*root->items[0]))
    not_a_pack(where, "another value");
  VerificationPack pack{root, {}, booleans(*root->items[1], where)};
  for (const auto& item : root->items[0]->items)
    pack.pictures.push_back(picture_bytes(*item, where + ", picture " + std::to_string(pack.pictures.size())));
  if (pack.pictures.size() != 2 * pack.same.size())
    not_a_pack(where, std::to_string(pack.pictures.size()) + " pictures and " + std::to_string(pack.same.size()) +
                          " booleans");
  return pack;
}

std::unique_ptr<FaceSource> open_verification_bin(const std::filesystem::path& path) {
  return std::make_unique<BinSource>(path);
}

}  // namespace likeness::data
