// The machine's stack, and the making of values within what the pickle's size allows.
#pragma once

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/pickle_input.h"

namespace likeness::pickle {

constexpr int kDeepest = 100;  // containers in containers; real packs are 4 deep

class Stack {
 public:
  explicit Stack(const Input& in) : in_(in), budget_((16 << 20) + 16 * in.size()) {}

  bool empty() const { return values_.empty() && marks_.empty(); }
  void mark() { marks_.push_back(values_.size()); }

  // Keeps memory within a small multiple of the input: a pickle of one byte for each value would else fill it.
  void spend(std::size_t bytes) {
    if (bytes > budget_) in_.stop("it makes more values than its size allows");
    budget_ -= bytes;
  }
  Ref make(Kind kind) {
    spend(sizeof(Node) + 32);  // with its control block and its place on the stack
    Ref v = std::make_shared<Node>();
    v->kind = kind;
    return v;
  }
  void push(Ref v) {
    values_.push_back(std::move(v));
    if (values_.size() > in_.size()) in_.stop("stack overflow");
  }
  Ref pop() {
    if (values_.size() <= (marks_.empty() ? 0 : marks_.back())) in_.stop("stack underflow");
    Ref v = std::move(values_.back());
    values_.pop_back();
    return v;
  }
  const Ref& top() const {
    if (values_.size() <= (marks_.empty() ? 0 : marks_.back())) in_.stop("stack underflow");
    return values_.back();
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) in_.stop("a mark is missing");
    std::vector<Ref> values(std::make_move_iterator(values_.begin() + static_cast<std::ptrdiff_t>(marks_.back())),
                            std::make_move_iterator(values_.end()));
    values_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }
  // Adds an item to a container that is still being built; see Node.
  void put(Node& into, const Ref& value) {
    if (into.sealed || &into == value.get()) in_.stop("a value contains itself, or changes after it was used");
    value->sealed = true;
    into.depth = std::max(into.depth, value->depth + 1);
    if (into.depth > kDeepest) in_.stop("values are nested too deep");
    spend(2 * sizeof(Ref));
    into.items.push_back(value);
  }
  // `kind` is what the opcode expects `into` to be.
  void put_all(Node& into, Kind kind, const std::vector<Ref>& values) {
    if (into.kind != kind) in_.stop("items are added to something that holds none");
    if (kind == Kind::kDict && values.size() % 2 != 0) in_.stop("a key has no value");
    for (const Ref& v : values) put(into, v);
  }
  Ref gathered(Kind kind, const std::vector<Ref>& values) {
    Ref v = make(kind);
    put_all(*v, kind, values);
    return v;
  }

 private:
  const Input& in_;
  std::size_t budget_;
  std::vector<Ref> values_;
  std::vector<std::size_t> marks_;
};

}  // namespace likeness::pickle
