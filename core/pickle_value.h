// What the two halves of the pickle machine share: values with their bookkeeping, and how a bad pickle is reported.
#pragma once

#include <string>

#include "core/pickle.h"

namespace likeness::pickle {

using Kind = PickleValue::Kind;

// A value on its way. Once it is inside another value it may not change any more: Python builds containers from the
// inside out unless they contain themselves, so this refuses exactly the cyclic ones, which nobody could walk or free.
struct Node : PickleValue {
  bool sealed = false;
  int depth = 1;
};
using Ref = std::shared_ptr<Node>;

inline Node& node(const std::shared_ptr<PickleValue>& v) { return static_cast<Node&>(*v); }

// kData with `where` and the byte at fault.
[[noreturn]] void refuse(const std::string& where, std::size_t at, const std::string& what,
                         const std::string& expected = "", const std::string& got = "");

// Where a call happens, for its messages.
struct Site {
  const std::string& where;
  std::size_t at;
};

// Is "module name" one that may be called or referred to?
bool known_global(const std::string& name, PickleGlobals globals);
// One of PyTorch's whose call is kept as it is: Kind::kCall.
bool kept_call(const std::string& name);
// What calling the global `name` with `arguments` (a tuple) gives, put into `out`. Nothing is executed: each of the few
// known globals stands for one plain conversion.
void call_global(const std::string& name, const PickleValue& arguments, Node& out, const Site& site);
// The state that __reduce__ hands to a numpy array or dtype.
void build_object(Node& object, const PickleValue& state, const Site& site);

// Python 2's repr of a str, quotes and all, to its bytes.
std::vector<std::byte> unquote(const std::string& text, const Site& site);
// raw-unicode-escape (bytes are latin1; \uXXXX, \UXXXXXXXX) to UTF-8.
std::string unescape(const std::string& text, const Site& site);

}  // namespace likeness::pickle
