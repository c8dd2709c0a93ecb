#include "data/loader.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/rng.h"
#include "core/trace.h"

namespace likeness::data {
namespace {

constexpr std::size_t kListed = 100;  // reasons kept for bad_list()

std::shared_ptr<std::uint8_t> aligned_memory(std::size_t bytes) {
  constexpr std::size_t line = 64;
  void* memory = std::aligned_alloc(line, (bytes + line - 1) / line * line);
  if (!memory)
    fail_environment(
        {"no memory for a batch", "loader", "", std::to_string(bytes) + " bytes", "take a smaller batch or prefetch"});
  return {static_cast<std::uint8_t*>(memory), std::free};
}

void check(const LoaderOptions& o) {
  const auto fail = [](const char* what, const char* expected, const std::string& got) {
    fail_usage({what, "loader", expected, got, ""});
  };
  if (o.geometry.width < 1 || o.geometry.height < 1)
    fail("picture has no size", "a width and height", o.geometry.describe());
  if (o.workers < 1) fail("number of workers out of range", "at least 1", std::to_string(o.workers));
  if (o.prefetch < 1) fail("prefetch out of range", "at least 1 batch", std::to_string(o.prefetch));
  if (!(o.flip >= 0 && o.flip <= 1)) fail("probability of a flip out of range", "0 … 1", std::to_string(o.flip));
}

// One batch of the ring. Workers write disjoint slots; whoever completes the last one hands the batch over.
struct Entry {
  std::shared_ptr<std::uint8_t> pixels;
  std::vector<std::int64_t> labels, index;
  std::atomic<std::int64_t> filled{0};             // slots done for the batch now in this entry
  std::map<std::int64_t, std::exception_ptr> bad;  // by slot; under State::mutex
};

}  // namespace

// Batches are numbered through all epochs: batch g lies in ring entry g mod ring, and slot b of it is ticket
// (g - first) * B + b. Workers take tickets in order from one counter. A ticket whose entry still holds an older batch
// waits until next() has moved on; nothing else on a worker's way takes a lock.
struct Loader::State {
  State(const FaceSource& s, LoaderOptions o, std::int64_t epoch, std::int64_t position);
  ~State() { stop(); }

  void stop();
  void work(CropReader& reader);
  void fill(CropReader& reader, std::int64_t g, std::int64_t b);
  bool wait_for_entry(std::int64_t g);
  void hand_over(std::int64_t g);
  void repair(Entry& entry, std::int64_t g);
  Entry& entry(std::int64_t g) { return ring[static_cast<std::size_t>(g) % ring.size()]; }
  std::uint8_t* slot(Entry& e, std::int64_t b) const {
    return e.pixels.get() + static_cast<std::size_t>(b) * picture_bytes;
  }

  const FaceSource& source;
  const LoaderOptions options;
  const Sampler sampler;
  const std::int64_t per_epoch, slots;
  const std::size_t picture_bytes;
  std::int64_t first = 0;    // the batch that next() gives first
  std::int64_t current = 0;  // the batch that next() gives next; the consumer's
  std::vector<Entry> ring;

  std::atomic<std::int64_t> ticket{0};
  std::atomic<std::int64_t> limit{0};  // batches below it may be filled
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable room, ready;
  std::vector<std::int64_t> complete;  // per entry: the batch that is complete in it, or -1; under mutex

  Batch batch;
  std::int64_t bad_count = 0;
  std::vector<std::string> bad_list;
  std::vector<std::unique_ptr<CropReader>> readers;
  std::vector<std::thread> threads;
};

Loader::State::State(const FaceSource& s, LoaderOptions o, std::int64_t epoch, std::int64_t position)
    : source(s),
      options((check(o), std::move(o))),
      sampler(s.size(), options.sampler),
      per_epoch(sampler.batches_per_epoch()),
      slots(options.sampler.batch),
      picture_bytes(std::size_t{3} * static_cast<std::size_t>(options.geometry.width) *
                    static_cast<std::size_t>(options.geometry.height)),
      ring(static_cast<std::size_t>(options.prefetch) + 1),  // one more: the batch that the caller holds
      complete(ring.size(), -1) {
  if (epoch < 0 || position < 0 || position > per_epoch)
    fail_usage({"no such batch to start at", "loader", "epoch >= 0 and position 0 … " + std::to_string(per_epoch),
                "epoch " + std::to_string(epoch) + ", position " + std::to_string(position),
                "was the batch or the set changed since?"});
  first = current = epoch * per_epoch + position;
  limit = first + static_cast<std::int64_t>(ring.size());
  const auto n = static_cast<std::size_t>(slots);
  for (Entry& e : ring) {
    e.pixels = (options.allocate ? options.allocate : aligned_memory)(n * picture_bytes);
    e.labels.resize(n);
    e.index.resize(n);
  }
  // Here rather than in the workers, so that a geometry that cannot be had is told at once.
  for (int k = 0; k < options.workers; ++k) readers.push_back(std::make_unique<CropReader>(source, options.geometry));
  try {
    for (auto& reader : readers) {
      threads.emplace_back([this, &reader, number = threads.size()] {
        name_thread("loader " + std::to_string(number));
        work(*reader);
      });
    }
  } catch (...) {  // no more threads to be had: those that run must not outlive us
    stop();
    throw;
  }
}

void Loader::State::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  room.notify_all();
  for (auto& thread : threads) thread.join();
}

bool Loader::State::wait_for_entry(std::int64_t g) {
  if (g < limit.load(std::memory_order_acquire)) return !stopping.load(std::memory_order_relaxed);
  const Span span("wait for room");
  std::unique_lock lock(mutex);
  room.wait(lock, [&] { return stopping || g < limit; });
  return !stopping;
}

void Loader::State::work(CropReader& reader) {
  for (;;) {
    const std::int64_t t = ticket.fetch_add(1, std::memory_order_relaxed);
    const std::int64_t g = first + t / slots, b = t % slots;
    if (!wait_for_entry(g)) return;
    Entry& e = entry(g);
    if (b < sampler.batch_size(g % per_epoch)) {
      try {
        fill(reader, g, b);
      } catch (...) {
        const std::lock_guard lock(mutex);
        e.bad[b] = std::current_exception();
      }
    }
    // The last to arrive sees what all others wrote (acquire), and the mutex of the hand-over carries it to the
    // consumer.
    if (e.filled.fetch_add(1, std::memory_order_acq_rel) + 1 == slots) hand_over(g);
  }
}

void Loader::State::fill(CropReader& reader, std::int64_t g, std::int64_t b) {
  Entry& e = entry(g);
  const std::int64_t epoch = g / per_epoch, i = sampler.at(epoch, g % per_epoch, b);
  e.index[static_cast<std::size_t>(b)] = i;
  e.labels[static_cast<std::size_t>(b)] = source.label(i);
  std::uint8_t* out = slot(e, b);
  const Span span("decode", i);
  reader.read(i, out);
  Rng rng(options.sampler.seed, Purpose::kAugment, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(i));
  if (rng.chance(options.flip)) flip_horizontal(out, options.geometry.width, options.geometry.height);
}

void Loader::State::hand_over(std::int64_t g) {
  {
    const std::lock_guard lock(mutex);
    entry(g).filled.store(0, std::memory_order_relaxed);
    complete[static_cast<std::size_t>(g) % ring.size()] = g;
  }
  ready.notify_one();
}

// Fills bad slots from good ones of the same batch, or throws the first error. Runs on the consumer's thread, in batch
// order.
void Loader::State::repair(Entry& e, std::int64_t g) {
  const std::int64_t size = sampler.batch_size(g % per_epoch);
  std::int64_t good = 0;
  while (e.bad.count(good)) ++good;
  std::vector<std::string> reasons;
  for (const auto& [b, error] : e.bad) {
    try {
      std::rethrow_exception(error);
    } catch (const Error& bad) {
      // A missing device or a bug is never the picture's fault.
      if (options.on_bad == OnBad::kFail || bad.kind() != ErrorKind::kData || good >= size) throw;
      reasons.push_back(bad.what());
    }
  }
  for (const auto& [b, error] : e.bad) {
    const std::int64_t from = b > good ? b - 1 : good;  // b - 1 is good, or was repaired in the round before
    std::memcpy(slot(e, b), slot(e, from), picture_bytes);
    e.labels[static_cast<std::size_t>(b)] = e.labels[static_cast<std::size_t>(from)];
    e.index[static_cast<std::size_t>(b)] = e.index[static_cast<std::size_t>(from)];
  }
  bad_count += static_cast<std::int64_t>(reasons.size());
  for (auto& reason : reasons)
    if (bad_list.size() < kListed) bad_list.push_back(std::move(reason));
  e.bad.clear();
}

Loader::Loader(const FaceSource& source, LoaderOptions options, std::int64_t epoch, std::int64_t position)
    : state_(std::make_unique<State>(source, std::move(options), epoch, position)) {}

Loader::~Loader() = default;

const Batch& Loader::next() {
  State& s = *state_;
  Entry& e = s.entry(s.current);
  {
    const std::lock_guard lock(s.mutex);
    // The caller is done with the batch before this one: its entry is free for the batch one ring further on.
    s.limit.store(s.current + static_cast<std::int64_t>(s.ring.size()), std::memory_order_release);
  }
  s.room.notify_all();
  {
    std::unique_lock lock(s.mutex);
    s.ready.wait(lock, [&] { return s.complete[static_cast<std::size_t>(s.current) % s.ring.size()] == s.current; });
  }
  if (!e.bad.empty()) s.repair(e, s.current);
  s.batch = {s.sampler.batch_size(s.current % s.per_epoch),
             s.current / s.per_epoch,
             s.current % s.per_epoch,
             e.pixels.get(),
             e.labels.data(),
             e.index.data()};
  ++s.current;
  return s.batch;
}

std::int64_t Loader::batches_per_epoch() const { return state_->per_epoch; }
std::int64_t Loader::bad_count() const { return state_->bad_count; }
std::vector<std::string> Loader::bad_list() const { return state_->bad_list; }

}  // namespace likeness::data
