// In the pickle of a .pt file tensors are calls
//   torch._utils._rebuild_tensor_v2(('storage', torch.FloatStorage, KEY, device, elements), offset, sizes, strides, …)
// into storages that lie beside it (torch_archive.h).
#include "model/graph/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.h"
#include "core/pickle.h"
#include "model/graph/torch_archive.h"
#include "model/graph/torch_storages.h"

namespace likeness::model {
namespace {

using Kind = PickleValue::Kind;

constexpr std::array kDictNames = {"state_dict_backbone", "state_dict", "model_state_dict", "model", "backbone", "net"};
constexpr const char* kTensor = "torch._utils _rebuild_tensor_v2";
constexpr const char* kParameter = "torch._utils _rebuild_parameter";

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
  refuse_torch_file(
      where,
      "a dict of tensors, or one under state_dict_backbone, state_dict, model_state_dict, model, backbone or net",
      names.empty() ? "neither" : "a dict with " + names, "save model.state_dict()");
}

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& where)
      : where_(where), archive_(open_torch_archive(bytes, where)), budget_(64 + 4 * bytes.size()) {}

  Weights read() {
    const std::string where = archive_->where();
    const PickleValue& dict = state_dict_in(archive_->root(), where);
    bool wrapped = true;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      if (dict.items[i]->kind != Kind::kText)
        refuse_torch_file(where, "tensors with names", "a key that is not a text");
      wrapped = wrapped && dict.items[i]->text.starts_with("module.");
    }
    Weights weights;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const std::string name = wrapped ? dict.items[i]->text.substr(7) : dict.items[i]->text;
      if (!weights.tensors.emplace(name, read_tensor(*dict.items[i + 1], where_ + ", tensor " + name, true)).second)
        refuse_torch_file(where, "every tensor once", name + " twice");
    }
    return weights;
  }

 private:
  static const PickleValue& argument(const PickleValue& v, std::size_t i, Kind kind, const std::string& where) {
    if (i >= v.items.size() || v.items[i]->kind != kind)
      refuse_torch_file(where, "a tensor as torch.save writes it", "another form");
    return *v.items[i];
  }
  static std::vector<std::int64_t> numbers(const PickleValue& v, const std::string& where) {
    std::vector<std::int64_t> out;
    for (const auto& item : v.items) {
      if (item->kind != Kind::kInt || item->integer < 0 || item->integer > std::int64_t{1} << 40)
        refuse_torch_file(where, "sizes and strides from 0 to 2^40", "another value");
      out.push_back(item->integer);
    }
    if (out.size() > 16) refuse_torch_file(where, "at most 16 dimensions", std::to_string(out.size()));
    return out;
  }

  WeightTensor read_tensor(const PickleValue& call, const std::string& where, bool may_be_parameter) {
    if (call.text == kParameter && may_be_parameter)
      return read_tensor(argument(call, 0, Kind::kCall, where), where, false);
    if (call.text != kTensor) refuse_torch_file(where, "a tensor", call.text);
    const PickleValue& reference = argument(call, 0, Kind::kReference, where);
    const PickleValue& id = argument(reference, 0, Kind::kTuple, where);
    const std::string global = argument(id, 1, Kind::kObject, where).text;
    const auto* storage = find_storage(global);
    if (storage == kTorchStorages.end()) refuse_torch_file(where, "a storage of numbers", global);
    const auto bytes = archive_->storage(argument(id, 2, Kind::kText, where).text);
    const auto first = argument(call, 1, Kind::kInt, where).integer;
    WeightTensor t{storage->dtype, numbers(argument(call, 2, Kind::kTuple, where), where), {}};
    const auto strides = numbers(argument(call, 3, Kind::kTuple, where), where);
    copy(bytes, storage->size, first, strides, where, &t);
    return t;
  }

  void copy(std::span<const std::byte> from, std::int64_t size, std::int64_t first,
            const std::vector<std::int64_t>& strides, const std::string& where, WeightTensor* t) {
    const std::int64_t held = static_cast<std::int64_t>(from.size()) / size;
    std::int64_t elements = 1, last = first;
    bool inside = strides.size() == t->shape.size() && first >= 0 && first <= held, dense = true;
    if (inside && std::find(t->shape.begin(), t->shape.end(), 0) != t->shape.end()) {
      for (const std::int64_t n : t->shape)
        if (__builtin_mul_overflow(elements, std::max<std::int64_t>(n, 1), &elements))
          refuse_torch_file(where, "sizes whose product fits 64 bits", shape_text(t->shape));
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
      refuse_torch_file(where, "a view into its storage of " + std::to_string(held) + " numbers",
                        shape_text(t->shape) + " beyond it");
    const auto bytes = static_cast<std::size_t>(elements * size);
    if (bytes > budget_)
      refuse_torch_file(where, "tensors that the file has numbers for", "many views of the same numbers");
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
  std::unique_ptr<TorchArchive> archive_;
  std::size_t budget_;
};

}  // namespace

Weights parse_torch_file(std::span<const std::byte> bytes, const std::string& where) {
  return Reader(bytes, where).read();
}

Weights read_torch_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  file.advise_sequential();
  return parse_torch_file(file.bytes(), path.string());
}

}  // namespace likeness::model
