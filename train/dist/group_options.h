// What a rank must know to find the others.
#pragma once

#include <chrono>
#include <string>

namespace likeness::train {

struct GroupOptions {
  int rank = 0, size = 1;
  std::string host = "127.0.0.1";                               // of rank 0's store
  int port = 0;                                                 // of rank 0's store; 0 only with size 1
  std::string address = "127.0.0.1";                            // under which the others reach this rank (Gloo)
  std::string interface = {};                                   // network interface instead of `address`, as eth0
  std::chrono::milliseconds timeout = std::chrono::minutes(5);  // of every operation: a lost rank is noticed within it
};

}  // namespace likeness::train
