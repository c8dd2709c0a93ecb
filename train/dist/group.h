// The ranks of a run and what they say to each other. A world of one is a group like any other, so callers need no
// special case.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace likeness::train {

struct GroupOptions {
  int rank = 0, size = 1;
  std::string host = "127.0.0.1";                               // of rank 0's store
  int port = 0;                                                 // of rank 0's store; 0 only with size 1
  std::string address = "127.0.0.1";                            // under which the others reach this rank (Gloo)
  std::string interface = {};                                   // network interface instead of `address`, as eth0
  std::chrono::milliseconds timeout = std::chrono::minutes(5);  // of every operation: a lost rank is noticed within it
};

// All ranks call the same operations in the same order with tensors of equal shape and type, contiguous. Not
// thread-safe. Errors: kEnvironment naming rank and operation when a rank is lost or the timeout passes.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void all_reduce_sum(at::Tensor& tensor) = 0;                       // in place
  virtual void all_reduce_max(at::Tensor& tensor) = 0;                       // in place
  virtual void broadcast(at::Tensor& tensor, int root) = 0;                  // in place
  virtual std::vector<at::Tensor> all_gather(const at::Tensor& tensor) = 0;  // by rank
  virtual void barrier() = 0;
};

// Alone: every operation is the identity.
std::unique_ptr<Group> solo_group();
// Tensors on the CPU. Returns when all ranks are there. kEnvironment: rank 0's store cannot be opened or reached in
// time.
std::unique_ptr<Group> gloo_group(const GroupOptions& options);

// The name under which liblikeness_cuda.so exports  Group* (const GroupOptions&): NCCL, tensors on the current CUDA
// device.
inline constexpr const char* kNcclGroup = "likeness_nccl_group";

}  // namespace likeness::train
