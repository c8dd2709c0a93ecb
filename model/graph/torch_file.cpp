// A .pt file is a zip archive: ROOT/data.pkl, a pickle in which tensors are calls
//   torch._utils._rebuild_tensor_v2(('storage', torch.FloatStorage, KEY, device, elements), offset, sizes, strides, …)
// and ROOT/data/KEY, the storages' raw numbers.
#include "model/graph/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.h"
#include "core/pickle.h"
#include "core/zip.h"
#include "model/graph/torch_storages.h"

namespace likeness::model {
namespace {

using Kind = PickleValue::Kind;

constexpr std::array kDictNames = {"state_dict_backbone", "state_dict", "model_state_dict", "model", "backbone", "net"};
constexpr const char* kTensor = "torch._utils _rebuild_tensor_v2";
constexpr const char* kParameter = "torch._utils _rebuild_parameter";

[[noreturn]] void refuse(const std::string& where, const std::string& expected, const std::string& got,
                         const std::string& hint = "") {
  fail_data({"not a state dict that can be read", where, expected, got, hint});
}

bool is_tensor(const PickleValue& v) { return v.kind == Kind::kCall; }
bool holds_tensors(const PickleValue& v) {
  if (v.kind != Kind::kDict || v.items.empty()) return false;
  for (std::size_t i = 1; i < v.items.size(); i += 2)
    if (!is_tensor(*v.items[i])) return false;
  return true;
}

const PickleValue& state_dict_in(const PickleValue& root, const std::string& where) {
  if (holds_tensors(root)) return root;
  std::string names;
  if (root.kind == Kind::kDict) {
    for (const char* wanted : kDictNames)
      for (std::size_t i = 0; i + 1 < root.items.size(); i += 2)
        if (root.items[i]->kind == Kind::kText && root.items[i]->text == wanted && holds_tensors(*root.items[i + 1]))
          return *root.items[i + 1];
    for (std::size_t i = 0; i + 1 < root.items.size() && names.size() < 120; i += 2)
      names += (names.empty() ? "" : ", ") + root.items[i]->text.substr(0, 40);
  }
  refuse(where,
         "a dict of tensors, or one under state_dict_backbone, state_dict, model_state_dict, model, backbone or net",
         names.empty() ? "neither" : "a dict with " + names, "save model.state_dict()");
}

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& where)
      : where_(where), zip_(bytes, where), budget_(64 + 4 * bytes.size()) {
    for (const std::string& name : zip_.names())
      if (name == "data.pkl" || name.ends_with("/data.pkl")) root_ = name.substr(0, name.size() - 8), found_ = true;
    if (!found_) refuse(where, "a member data.pkl, as torch.save writes it", "a zip archive without one");
    if (zip_.has(root_ + "byteorder")) {
      const auto order = zip_.member(root_ + "byteorder");
      if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little")
        refuse(where, "numbers of a little-endian machine", "another byte order");
    }
  }

  Weights read() {
    const std::string where = where_ + ", " + root_ + "data.pkl";
    const auto root = read_pickle(zip_.member(root_ + "data.pkl"), where, PickleGlobals::kTorch);
    const PickleValue& dict = state_dict_in(*root, where);
    bool wrapped = true;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      if (dict.items[i]->kind != Kind::kText) refuse(where, "tensors with names", "a key that is not a text");
      wrapped = wrapped && dict.items[i]->text.starts_with("module.");
    }
    Weights weights;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const std::string name = wrapped ? dict.items[i]->text.substr(7) : dict.items[i]->text;
      if (!weights.tensors.emplace(name, read_tensor(*dict.items[i + 1], where_ + ", tensor " + name, true)).second)
        refuse(where, "every tensor once", name + " twice");
    }
    return weights;
  }

 private:
  static const PickleValue& argument(const PickleValue& v, std::size_t i, Kind kind, const std::string& where) {
    if (i >= v.items.size() || v.items[i]->kind != kind)
      refuse(where, "a tensor as torch.save writes it", "another form");
    return *v.items[i];
  }
  static std::vector<std::int64_t> numbers(const PickleValue& v, const std::string& where) {
    std::vector<std::int64_t> out;
    for (const auto& item : v.items) {
      if (item->kind != Kind::kInt || item->integer < 0 || item->integer > std::int64_t{1} << 40)
        refuse(where, "sizes and strides from 0 to 2^40", "another value");
      out.push_back(item->integer);
    }
    if (out.size() > 16) refuse(where, "at most 16 dimensions", std::to_string(out.size()));
    return out;
  }

  WeightTensor read_tensor(const PickleValue& call, const std::string& where, bool may_be_parameter) {
    if (call.text == kParameter && may_be_parameter)
      return read_tensor(argument(call, 0, Kind::kCall, where), where, false);
    if (call.text != kTensor) refuse(where, "a tensor", call.text);
    const PickleValue& reference = argument(call, 0, Kind::kReference, where);
    const PickleValue& id = argument(reference, 0, Kind::kTuple, where);
    const std::string global = argument(id, 1, Kind::kObject, where).text;
    const auto* storage = std::find_if(kTorchStorages.begin(), kTorchStorages.end(),
                                       [&](const TorchStorage& s) { return global == s.global; });
    if (storage == kTorchStorages.end()) refuse(where, "a storage of numbers", global);
    const auto bytes = zip_member("data/" + argument(id, 2, Kind::kText, where).text);
    const auto first = argument(call, 1, Kind::kInt, where).integer;
    WeightTensor t{storage->dtype, numbers(argument(call, 2, Kind::kTuple, where), where), {}};
    const auto strides = numbers(argument(call, 3, Kind::kTuple, where), where);
    copy(bytes, storage->size, first, strides, where, &t);
    return t;
  }

  // Checked against its CRC once, however many tensors lie in it.
  std::span<const std::byte> zip_member(const std::string& name) {
    auto& known = storages_[name];
    if (known.data() == nullptr) known = zip_.member(root_ + name);
    return known;
  }

  void copy(std::span<const std::byte> from, std::int64_t size, std::int64_t first,
            const std::vector<std::int64_t>& strides, const std::string& where, WeightTensor* t) {
    const std::int64_t held = static_cast<std::int64_t>(from.size()) / size;
    std::int64_t elements = 1, last = first;
    bool inside = strides.size() == t->shape.size() && first >= 0 && first <= held, dense = true;
    if (inside && std::find(t->shape.begin(), t->shape.end(), 0) != t->shape.end()) {
      for (const std::int64_t n : t->shape)
        if (__builtin_mul_overflow(elements, std::max<std::int64_t>(n, 1), &elements))
          refuse(where, "sizes whose product fits 64 bits", shape_text(t->shape));
      return;
    }
    for (std::size_t d = t->shape.size(); inside && d-- > 0;) {
      const std::int64_t n = t->shape[d];
      dense = dense && (n == 1 || strides[d] == elements);
      std::int64_t reach = 0;
      inside = !__builtin_mul_overflow(n - 1, strides[d], &reach) && !__builtin_add_overflow(last, reach, &last) &&
               !__builtin_mul_overflow(elements, n, &elements) && elements <= held;
    }
    if (!inside || last >= held)
      refuse(where, "a view into its storage of " + std::to_string(held) + " numbers",
             shape_text(t->shape) + " beyond it");
    const auto bytes = static_cast<std::size_t>(elements * size);
    if (bytes > budget_) refuse(where, "tensors that the file has numbers for", "many views of the same numbers");
    budget_ -= bytes;
    t->data.resize(bytes);
    if (dense) {
      std::memcpy(t->data.data(), from.data() + first * size, bytes);
      return;
    }
    std::vector<std::int64_t> index(t->shape.size());
    std::int64_t at = first;
    for (std::int64_t i = 0; i < elements; ++i) {
      std::memcpy(t->data.data() + i * size, from.data() + at * size, static_cast<std::size_t>(size));
      for (std::size_t d = index.size(); d-- > 0;) {
        at += strides[d];
        if (++index[d] < t->shape[d]) break;
        at -= strides[d] * t->shape[d];
        index[d] = 0;
      }
    }
  }

  const std::string& where_;
  ZipArchive zip_;
  std::string root_;  // "archive/"
  bool found_ = false;
  std::size_t budget_;
  std::map<std::string, std::span<const std::byte>> storages_;
};

// Before PyTorch 1.6: five pickles and raw storages, one after the other. The first is this magic number.
bool is_legacy(std::span<const std::byte> bytes) {
  constexpr unsigned char kMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                      0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0;
}

}  // namespace

Weights parse_torch_file(std::span<const std::byte> bytes, const std::string& where) {
  if (is_legacy(bytes))
    refuse(where, "the zip format of PyTorch 1.6 and later", "the format before it",
           "torch.save(torch.load(OLD, map_location='cpu', weights_only=True), NEW)");
  return Reader(bytes, where).read();
}

Weights read_torch_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  file.advise_sequential();
  return parse_torch_file(file.bytes(), path.string());
}

}  // namespace likeness::model
