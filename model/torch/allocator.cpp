#include "model/torch/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <mutex>
#include <new>
#include <unordered_map>

#include "model/torch/free_blocks.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace likeness::model {
namespace {

using Blocks = FreeBlocks<void*>;

class BlockCache final : public c10::Allocator {
 public:
  explicit BlockCache(c10::Allocator* small) : small_(small) {}

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes < Blocks::kLarge) return small_->allocate(bytes);
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
    std::optional<std::pair<std::size_t, void*>> block = free_.take(bytes);
    if (!block) {
      const std::size_t size = Blocks::rounded(bytes);
      block = {size, obtain(size)};
      total_ += size;
    }
    lent_.emplace(block->second, block->first);
    in_use_ += block->first;
    return block->second;
  }

  // Mapped with room to align it to a huge page; the rest is never touched and costs addresses only.
  static void* obtain(std::size_t size) {
    void* p = mmap(nullptr, size + Blocks::kHugePage, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    void* block = reinterpret_cast<void*>(Blocks::rounded(reinterpret_cast<std::uintptr_t>(p)));
    madvise(block, size, MADV_HUGEPAGE);  // a wish: without huge pages everything works, slower
    return block;
  }

  bool give_back(void* block) {
    const std::lock_guard lock(mutex_);
    const auto lent = lent_.find(block);
    if (lent == lent_.end()) return false;
    in_use_ -= lent->second;
    free_.give(lent->second, block);
    lent_.erase(lent);
    return true;
  }

  static void release(void* block);
  static void release_any(void* block);

  c10::Allocator* small_;
  std::mutex mutex_;
  Blocks free_;
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
