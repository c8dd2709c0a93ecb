#include "model/graph/torch_archive.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "core/zip.h"
#include "model/graph/torch_storages.h"

namespace likeness::model {
namespace {

using Kind = PickleValue::Kind;

class ZippedArchive : public TorchArchive {
 public:
  ZippedArchive(std::span<const std::byte> bytes, const std::string& where) : file_(where), zip_(bytes, where) {
    bool found = false;
    for (const std::string& name : zip_.names())
      if (name == "data.pkl" || name.ends_with("/data.pkl")) folder_ = name.substr(0, name.size() - 8), found = true;
    if (!found) refuse_torch_file(where, "a member data.pkl, as torch.save writes it", "a zip archive without one");
    if (zip_.has(folder_ + "byteorder")) {
      const auto order = zip_.member(folder_ + "byteorder");
      if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little")
        refuse_torch_file(where, "numbers of a little-endian machine", "another byte order");
    }
    root_ = read_pickle(zip_.member(folder_ + "data.pkl"), this->where(), PickleGlobals::kTorch);
  }
  const PickleValue& root() const override { return *root_; }
  std::string where() const override { return file_ + ", " + folder_ + "data.pkl"; }
  // Checked against its CRC once, however many tensors lie in it.
  std::span<const std::byte> storage(const std::string& key) override {
    auto& known = storages_[key];
    if (known.data() == nullptr) known = zip_.member(folder_ + "data/" + key);
    return known;
  }

 private:
  const std::string file_;
  ZipArchive zip_;
  std::string folder_;  // "archive/"
  std::shared_ptr<PickleValue> root_;
  std::map<std::string, std::span<const std::byte>> storages_;
};

// A pickle of the magic number, which is larger than any number a state dict holds.
constexpr unsigned char kMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                    0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr std::int64_t kProtocol = 1001;

class LegacyArchive : public TorchArchive {
 public:
  LegacyArchive(std::span<const std::byte> bytes, const std::string& where)
      : file_(where), left_(bytes.subspan(sizeof kMagic)) {
    const auto protocol = next_pickle("protocol");
    if (protocol->kind != Kind::kInt || protocol->integer != kProtocol)
      refuse_torch_file(where, "protocol 1001", "another one");
    const auto system = next_pickle("system");
    for (std::size_t i = 0; system->kind == Kind::kDict && i + 1 < system->items.size(); i += 2)
      if (system->items[i]->text == "little_endian" && !system->items[i + 1]->boolean)
        refuse_torch_file(where, "numbers of a little-endian machine", "another byte order");
    root_ = next_pickle("object");
    collect_sizes(*root_);
    const auto keys = next_pickle("storages");
    if (keys->kind != Kind::kList) refuse_torch_file(where, "a list of storages", "another value");
    for (const auto& key : keys->items) take_storage(key->text);
  }
  const PickleValue& root() const override { return *root_; }
  std::string where() const override { return file_; }
  std::span<const std::byte> storage(const std::string& key) override {
    const auto found = storages_.find(key);
    if (found == storages_.end()) refuse_torch_file(file_, "storage " + key, "none of that name");
    return found->second;
  }

 private:
  std::shared_ptr<PickleValue> next_pickle(const std::string& what) {
    std::size_t used = 0;
    auto value = read_pickle(left_, file_ + ", " + what, PickleGlobals::kTorch, &used);
    left_ = left_.subspan(used);
    return value;
  }
  // Bytes of a number of every storage that is referred to. Values may be shared: each is looked at once.
  void collect_sizes(const PickleValue& v) {
    if (!seen_.insert(&v).second) return;
    for (const auto& item : v.items) collect_sizes(*item);
    if (v.kind != Kind::kReference) return;
    const auto& id = v.items.at(0)->items;
    if (id.size() != 6 || id[1]->kind != Kind::kObject || id[2]->kind != Kind::kText)
      refuse_torch_file(file_, "storages as torch.save writes them", "another form");
    if (id[5]->kind != Kind::kNone)
      refuse_torch_file(file_, "storages of their own", "a view of another storage",
                        "torch.save(torch.load(OLD, map_location='cpu', weights_only=True), NEW)");
    const auto* type = find_storage(id[1]->text);
    if (type == kTorchStorages.end()) refuse_torch_file(file_, "a storage of numbers", id[1]->text);
    sizes_[id[2]->text] = type->size;
  }
  void take_storage(const std::string& key) {
    const auto size = sizes_.find(key);
    if (size == sizes_.end()) refuse_torch_file(file_, "storages that a tensor lies in", key);
    std::int64_t count = 0;
    const bool counted = left_.size() >= sizeof count;
    if (counted) std::memcpy(&count, left_.data(), sizeof count);
    const std::uint64_t held = counted ? (left_.size() - sizeof count) / static_cast<std::uint64_t>(size->second) : 0;
    if (!counted || count < 0 || static_cast<std::uint64_t>(count) > held)
      refuse_torch_file(file_ + ", storage " + key, std::to_string(count) + " numbers", "the end of the file");
    const auto bytes = static_cast<std::size_t>(count * size->second);
    storages_[key] = left_.subspan(sizeof count, bytes);
    left_ = left_.subspan(sizeof count + bytes);
  }

  const std::string file_;
  std::span<const std::byte> left_;
  std::shared_ptr<PickleValue> root_;
  std::unordered_set<const PickleValue*> seen_;
  std::map<std::string, std::int64_t> sizes_;
  std::map<std::string, std::span<const std::byte>> storages_;
};

bool is_legacy(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0;
}

}  // namespace

void refuse_torch_file(const std::string& where, const std::string& expected, const std::string& got,
                       const std::string& hint) {
  fail_data({"not a state dict that can be read", where, expected, got, hint});
}

std::unique_ptr<TorchArchive> open_torch_archive(std::span<const std::byte> bytes, const std::string& where) {
  if (is_legacy(bytes)) return std::make_unique<LegacyArchive>(bytes, where);
  return std::make_unique<ZippedArchive>(bytes, where);
}

}  // namespace likeness::model
