// The bytes of a pickle, read front to back; whoever asks for more than there is gets an error naming the opcode.
#pragma once

#include <charconv>
#include <cstring>
#include <span>
#include <string>

#include "core/pickle_value.h"

namespace likeness::pickle {

class Input {
 public:
  Input(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  std::size_t size() const { return bytes_.size(); }
  std::size_t left() const { return bytes_.size() - at_; }
  void begin_opcode() { opcode_at_ = at_; }
  Site site() const { return {where_, opcode_at_}; }
  [[noreturn]] void stop(const std::string& what, const std::string& got = "") const {
    refuse(where_, opcode_at_, what, "", got);
  }

  std::span<const std::byte> take(std::uint64_t n) {
    if (n > left()) stop("it ends too early", std::to_string(size()) + " bytes");
    const auto taken = bytes_.subspan(at_, n);
    at_ += n;
    return taken;
  }
  // Little-endian.
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  // Two's complement of n bytes, as LONG1 and LONG4 have it.
  std::int64_t long_integer(std::uint64_t n) {
    const auto taken = take(n);
    if (n > 8) stop("a whole number does not fit 64 bits");
    if (n == 0) return 0;
    std::uint64_t value = 0;
    std::memcpy(&value, taken.data(), n);
    const int spare = static_cast<int>(64 - 8 * n);
    return static_cast<std::int64_t>(value << spare) >> spare;
  }
  // Up to the next line feed, which is taken too.
  std::string line() {
    const void* end = std::memchr(bytes_.data() + at_, '\n', left());
    if (!end) stop("it ends in the middle of a line");
    const auto taken = take(static_cast<std::uint64_t>(static_cast<const std::byte*>(end) - (bytes_.data() + at_)));
    ++at_;
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  // A line that is one number.
  template <class T>
  T line_number(std::string text) {
    T value{};
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size()) stop("not a number that fits", text.substr(0, 30));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& where_;
  std::size_t at_ = 0, opcode_at_ = 0;
};

}  // namespace likeness::pickle
