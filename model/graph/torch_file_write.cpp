#include <algorithm>

#include "core/error.h"
#include "core/zip.h"
#include "model/graph/torch_file.h"
#include "model/graph/torch_storages.h"

namespace likeness::model {
namespace {

// The opcodes of pickle protocol 2 that a state dict needs; pickletools.py of CPython is their reference.
class Pickler {
 public:
  Pickler() { out_ = std::string("\x80\x02", 2); }
  void raw(std::string_view opcodes) { out_ += opcodes; }
  void global(const std::string& module, const std::string& name) { out_ += "c" + module + "\n" + name + "\n"; }
  void text(const std::string& t) {
    out_ += 'X';
    number(static_cast<std::uint32_t>(t.size()));
    out_ += t;
  }
  void integer(std::int64_t value) {
    if (value >= 0 && value <= 0x7fffffff) {
      out_ += 'J';
      return number(static_cast<std::int32_t>(value));
    }
    out_ += std::string("\x8a\x08", 2);  // LONG1 of eight bytes
    number(value);
  }
  void integers(const std::vector<std::int64_t>& values) {
    out_ += '(';
    for (std::int64_t v : values) integer(v);
    out_ += 't';
  }
  const std::string& bytes() const { return out_; }

 private:
  template <class T>
  void number(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string out_;
};

// "FloatStorage"
std::string storage_of(const std::string& dtype, const std::string& where) {
  for (const TorchStorage& s : kTorchStorages)
    if (dtype == s.dtype) return std::string(s.global).substr(6);
  fail_usage({"tensor has no place in a PyTorch file", where, "F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL", dtype,
              "safetensors holds it"});
}

void put_tensor(Pickler* p, const WeightTensor& t, const std::string& key, const std::string& where) {
  std::vector<std::int64_t> strides(t.shape.size());
  std::int64_t next = 1;
  for (std::size_t d = t.shape.size(); d-- > 0;) strides[d] = next, next *= std::max<std::int64_t>(t.shape[d], 1);
  p->global("torch._utils", "_rebuild_tensor_v2");
  p->raw("((");
  p->text("storage");
  p->global("torch", storage_of(t.dtype, where));
  p->text(key);
  p->text("cpu");
  p->integer(t.elements());
  p->raw("tQ");
  p->integer(0);
  p->integers(t.shape);
  p->integers(strides);
  p->raw("\x89");  // requires no gradient
  p->global("collections", "OrderedDict");
  p->raw(")RtR");  // no hooks; the call
}

std::vector<const std::pair<const std::string, WeightTensor>*> in_order(const Weights& weights,
                                                                        const std::vector<std::string>& order) {
  std::map<std::string, std::size_t> place;
  for (const std::string& name : order) place.emplace(name, place.size());
  std::vector<const std::pair<const std::string, WeightTensor>*> entries;
  for (const auto& entry : weights.tensors) entries.push_back(&entry);
  std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
    const auto at = [&](const auto* e) {
      const auto it = place.find(e->first);
      return it == place.end() ? place.size() : it->second;
    };
    return at(a) < at(b);
  });
  return entries;
}

}  // namespace

void write_torch_file(const std::filesystem::path& path, const Weights& weights, const std::vector<std::string>& order,
                      IfExists if_exists) {
  const auto entries = in_order(weights, order);
  Pickler p;
  p.global("collections", "OrderedDict");
  p.raw(")R(");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    p.text(entries[i]->first);
    put_tensor(&p, entries[i]->second, std::to_string(i), path.string() + ", tensor " + entries[i]->first);
  }
  p.raw("u.");
  const auto text = [](std::string_view t) { return std::as_bytes(std::span(t)); };
  std::vector<ZipMember> members{{"archive/data.pkl", text(p.bytes())}, {"archive/byteorder", text("little")}};
  for (std::size_t i = 0; i < entries.size(); ++i)
    members.push_back({"archive/data/" + std::to_string(i), entries[i]->second.data});
  members.push_back({"archive/version", text("3\n")});
  write_zip(path, if_exists, members);
}

}  // namespace likeness::model
