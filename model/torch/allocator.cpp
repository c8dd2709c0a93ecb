#include "model/torch/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace likeness::model {
namespace {

constexpr std::size_t kLarge = 1 << 20;  // below this glibc's own bins do well
constexpr std::size_t kHugePage = 2 << 20;

// A best-fit list of blocks that are never split and never returned. Training asks for the same sizes again and again,
// so a block is taken for a tensor that fills at least half of it, and the lists settle after the first step.
class BlockCache final : public c10::Allocator {
 public:
  explicit BlockCache(c10::Allocator* small) : small_(small) {}

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes < kLarge) return small_->allocate(bytes);
    void* block = take(bytes);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release_any; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

  KeptMemory kept() {
    const std::lock_guard lock(mutex_);
    return {total_, in_use_};
  }

 private:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto fit = free_.lower_bound(bytes);
    void* block = nullptr;
    std::size_t size = 0;
    if (fit != free_.end() && fit->first / 2 <= bytes) {
      size = fit->first;
      block = fit->second;
      free_.erase(fit);
    } else {
      size = (bytes + kHugePage - 1) / kHugePage * kHugePage;
      block = obtain(size);
      total_ += size;
    }
    lent_.emplace(block, size);
    in_use_ += size;
    return block;
  }

  // Mapped with room to align it to a huge page; the rest is never touched and costs addresses only.
  static void* obtain(std::size_t size) {
    void* p =
        mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    const auto aligned = (reinterpret_cast<std::uintptr_t>(p) + kHugePage - 1) / kHugePage * kHugePage;
    void* block = reinterpret_cast<void*>(aligned);
    madvise(block, size, MADV_HUGEPAGE);  // a wish: without huge pages everything works, slower
    return block;
  }

  bool give_back(void* block) {
    const std::lock_guard lock(mutex_);
    const auto lent = lent_.find(block);
    if (lent == lent_.end()) return false;
    in_use_ -= lent->second;
    free_.emplace(lent->second, block);
    lent_.erase(lent);
    return true;
  }

  static void release(void* block);
  static void release_any(void* block);

  c10::Allocator* small_;
  std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;
  std::unordered_map<void*, std::size_t> lent_;
  std::size_t total_ = 0, in_use_ = 0;
};

BlockCache* cache = nullptr;  // never deleted: tensors may be freed while the process ends

void BlockCache::release(void* block) { cache->give_back(block); }
void BlockCache::release_any(void* block) {
  if (!cache->give_back(block)) cache->small_->raw_deleter()(block);
}

}  // namespace

void keep_memory() {
  static std::once_flag once;
  std::call_once(once, [] {
    cache = new BlockCache(c10::GetCPUAllocator());
    c10::SetCPUAllocator(cache, /*priority=*/1);
#ifdef __GLIBC__
    mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap as well
    mallopt(M_TRIM_THRESHOLD, -1);  // never give the top of the heap back; also ends the threshold that adapts itself
    mallopt(M_TOP_PAD, 64 << 20);   // grow by 64 MiB at a time
#endif
  });
}

KeptMemory kept_memory() { return cache != nullptr ? cache->kept() : KeptMemory(); }

}  // namespace likeness::model
