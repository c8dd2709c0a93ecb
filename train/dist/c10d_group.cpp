#include "train/dist/c10d_group.h"

#include <c10/util/Logging.h>

#include <algorithm>
#include <cstdlib>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/error.h"
#include "core/trace.h"
#include "train/dist/environment.h"

namespace likeness::train {
namespace {

std::string rank_text(int rank, int size) {
  return "rank " + std::to_string(rank) + " of " + std::to_string(size) + " on " + host_name();
}

std::string seconds(std::chrono::milliseconds time) {
  const auto whole = std::to_string(time.count() / 1000);
  return time.count() % 1000 == 0 ? whole + " s" : std::to_string(time.count()) + " ms";
}

// A library's message without its stack and without the path of its own source file.
std::string plain(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = c10_error != nullptr ? c10_error->what_without_backtrace() : error.what();
  if (const std::size_t end = text.find("] "); text.starts_with("[") && end != std::string::npos)
    text.erase(0, end + 2);
  return text;
}

// How long the ranks that are left wait for word from each other after a failure: they learn of it within milliseconds.
std::chrono::milliseconds patience(std::chrono::milliseconds timeout) {
  return std::min<std::chrono::milliseconds>(std::chrono::seconds(2), timeout / 4);
}

// c10d writes each lost connection to stderr with a stack, which would bury the message that says who was lost. What it
// throws is in that message; TORCH_CPP_LOG_LEVEL brings its lines back.
void silence_c10d() {
  constexpr int kFatalOnly = 3;
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = kFatalOnly;
}

}  // namespace

class C10dPending : public Pending {
 public:
  C10dPending(C10dGroup& group, C10dGroup::Work work) : group_(group), work_(std::move(work)) {}
  void wait() override { group_.finish("asynchronous all-reduce", work_); }

 private:
  C10dGroup& group_;
  C10dGroup::Work work_;
};

C10dGroup::C10dGroup(c10::intrusive_ptr<c10d::Backend> backend, c10::intrusive_ptr<c10d::Store> store,
                     std::chrono::milliseconds timeout, std::function<void()> hang_up)
    : backend_(std::move(backend)),
      timeout_(timeout),
      hang_up_(std::move(hang_up)),
      roll_(std::move(store), backend_->getRank(), backend_->getSize()) {}

void C10dGroup::lost(const char* operation, const std::exception& error) {
  hang_up_();
  const std::string absent = roll_.absent(patience(timeout_));
  fail_environment({.what = "a rank was lost",
                    .where = rank_text(rank(), size()) + ", " +
                             (step_ < 0 ? "before the first step" : "step " + std::to_string(step_)) + ", " + operation,
                    .expected = "every rank within " + seconds(timeout_),
                    .got = (absent.empty() ? "" : "no word from " + absent + "; ") + plain(error)});
}

template <class Start>
C10dGroup::Work C10dGroup::begin(const char* operation, Start start) {
  try {
    return start();
  } catch (const std::exception& error) {
    lost(operation, error);
  }
}

void C10dGroup::finish(const char* operation, const Work& work) {
  const Span span(operation);
  try {
    // The backend's own timeout comes first, with the better message.
    work->wait(timeout_ + std::chrono::seconds(1));
  } catch (const std::exception& error) {
    lost(operation, error);
  }
}

void C10dGroup::all_reduce(at::Tensor& tensor, c10d::ReduceOp operation) {
  std::vector<at::Tensor> tensors{tensor};
  c10d::AllreduceOptions options;
  options.reduceOp = std::move(operation);
  options.timeout = timeout_;
  finish("all-reduce", begin("all-reduce", [&] { return backend_->allreduce(tensors, options); }));
}

void C10dGroup::all_reduce_sum(at::Tensor& tensor) { all_reduce(tensor, c10d::ReduceOp::SUM); }
void C10dGroup::all_reduce_max(at::Tensor& tensor) { all_reduce(tensor, c10d::ReduceOp::MAX); }

std::unique_ptr<Pending> C10dGroup::start_sum(at::Tensor& tensor) {
  std::vector<at::Tensor> tensors{tensor};
  c10d::AllreduceOptions options;
  options.timeout = timeout_;
  return std::make_unique<C10dPending>(
      *this, begin("asynchronous all-reduce", [&] { return backend_->allreduce(tensors, options); }));
}

void C10dGroup::broadcast(at::Tensor& tensor, int root) {
  std::vector<at::Tensor> tensors{tensor};
  c10d::BroadcastOptions options;
  options.rootRank = root;
  options.timeout = timeout_;
  finish("broadcast", begin("broadcast", [&] { return backend_->broadcast(tensors, options); }));
}

std::vector<at::Tensor> C10dGroup::all_gather(const at::Tensor& tensor) {
  std::vector<at::Tensor> input{tensor};
  std::vector<std::vector<at::Tensor>> output(1);
  for (int r = 0; r < size(); ++r) output[0].push_back(at::empty_like(tensor));
  c10d::AllgatherOptions options;
  options.timeout = timeout_;
  finish("all-gather", begin("all-gather", [&] { return backend_->allgather(output, input, options); }));
  return output[0];
}

void C10dGroup::barrier() {
  c10d::BarrierOptions options;
  options.timeout = timeout_;
  finish("barrier", begin("barrier", [&] { return backend_->barrier(options); }));
}

std::unique_ptr<Group> meet(
    const GroupOptions& o,
    const std::function<std::unique_ptr<Group>(const c10::intrusive_ptr<c10d::Store>& store)>& make) {
  silence_c10d();
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(o.port);
    options.isServer = o.rank == 0;
    options.numWorkers = static_cast<std::size_t>(o.size);
    options.waitWorkers = o.size > 1;
    options.timeout = o.timeout;
    return make(c10::make_intrusive<c10d::TCPStore>(o.host, options));
  } catch (const std::exception& error) {
    const std::string own = o.interface.empty() ? o.address : "interface " + o.interface;
    fail_environment(
        {.what = "the ranks did not find each other",
         .where = rank_text(o.rank, o.size) + " (" + own + "), rank 0 at " + o.host + ":" + std::to_string(o.port),
         .expected = "all ranks within " + seconds(o.timeout),
         .got = plain(error),
         .hint = "MASTER_ADDR, MASTER_PORT and GLOO_SOCKET_IFNAME choose host, port and interface"});
  }
}

}  // namespace likeness::train
