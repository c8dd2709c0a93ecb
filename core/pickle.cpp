// The opcodes: pickletools.py of CPython is their reference.
#include "core/pickle.h"

#include <cstdio>
#include <cstring>
#include <unordered_map>

#include "core/pickle_stack.h"

namespace likeness {
namespace pickle {

namespace {

Ref constant(Kind kind, bool value) {
  Ref v = std::make_shared<Node>();
  v->kind = kind;
  v->boolean = value;
  v->sealed = true;
  return v;
}

class Machine {
 public:
  Machine(std::span<const std::byte> in, const std::string& where, PickleGlobals globals)
      : in_(in, where), stack_(in_), globals_(globals) {}

  Ref run() {
    for (;;) {
      in_.begin_opcode();
      const int op = in_.number<std::uint8_t>();
      if (op == '.') {
        Ref result = pop();
        if (!stack_.empty()) stop("values are left on the stack");
        return result;
      }
      if (!scalar(op) && !string(op) && !container(op) && !memo(op) && !object(op)) {
        char code[8];
        std::snprintf(code, sizeof code, "0x%02x", op);
        stop("unknown or forbidden opcode", code);
      }
    }
  }

  std::size_t used() const { return in_.size() - in_.left(); }

 private:
  [[noreturn]] void stop(const std::string& what, const std::string& got = "") const { in_.stop(what, got); }
  Site site() const { return in_.site(); }

  Ref make(Kind kind) { return stack_.make(kind); }
  void push(Ref v) { stack_.push(std::move(v)); }
  Ref pop() { return stack_.pop(); }
  Node& top() { return *stack_.top(); }
  void push_tuple(std::size_t n) {
    std::vector<Ref> values(n);
    for (std::size_t i = n; i-- > 0;) values[i] = pop();
    push(stack_.gathered(Kind::kTuple, values));
  }
  void push_int(std::int64_t value) {
    push(make(Kind::kInt));
    top().integer = value;
  }

  // --- opcodes, by family; each returns whether `op` was one of its own ---
  bool scalar(int op) {
    switch (op) {
      case 'N':
        return push(none_), true;
      case 0x88:
        return push(true_), true;
      case 0x89:
        return push(false_), true;
      case 'J':
        return push_int(in_.number<std::int32_t>()), true;
      case 'K':
        return push_int(in_.number<std::uint8_t>()), true;
      case 'M':
        return push_int(in_.number<std::uint16_t>()), true;
      case 0x8a:
        return push_int(in_.long_integer(in_.number<std::uint8_t>())), true;
      case 0x8b:
        return push_int(in_.long_integer(in_.number<std::uint32_t>())), true;
      case 'I':
      case 'L':
        return push_text_integer(), true;
      case 'F':
        return push_float(in_.line()), true;
      case 'G':
        return push_big_endian_float(), true;
      case 0x80:
        if (const int protocol = in_.number<std::uint8_t>(); protocol > 5)
          stop("protocol is newer than 5", std::to_string(protocol));
        return true;
      case 0x95:
        if (in_.number<std::uint64_t>() > in_.left()) stop("a frame is longer than the file");
        return true;
      default:
        return false;
    }
  }

  void push_text_integer() {
    std::string text = in_.line();
    if (text == "00" || text == "01") return push(text == "01" ? true_ : false_);
    if (!text.empty() && text.back() == 'L') text.pop_back();
    push_int(in_.line_number<std::int64_t>(text));
  }
  void push_float(const std::string& text) {
    push(make(Kind::kFloat));
    top().real = in_.line_number<double>(text);
  }
  void push_big_endian_float() {
    push(make(Kind::kFloat));
    const std::uint64_t bits = __builtin_bswap64(in_.number<std::uint64_t>());
    std::memcpy(&top().real, &bits, sizeof bits);
  }

  bool string(int op) {
    switch (op) {
      case 'U':
      case 'C':
        return push_bytes(in_.number<std::uint8_t>()), true;
      case 'T':
      case 'B':
        return push_bytes(in_.number<std::uint32_t>()), true;
      case 0x8e:
      case 0x96:
        return push_bytes(in_.number<std::uint64_t>()), true;
      case 'S':
        return push_quoted(in_.line()), true;
      case 0x8c:
        return push_text(in_.number<std::uint8_t>()), true;
      case 'X':
        return push_text(in_.number<std::uint32_t>()), true;
      case 0x8d:
        return push_text(in_.number<std::uint64_t>()), true;
      case 'V':
        return push_escaped_text(in_.line()), true;
      default:
        return false;
    }
  }

  void push_bytes(std::uint64_t n) {
    const auto bytes = in_.take(n);
    push(make(Kind::kBytes));
    top().bytes = bytes;
  }
  void push_text(std::uint64_t n) {
    const auto bytes = in_.take(n);
    push(make(Kind::kText));
    top().text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void push_quoted(const std::string& text) {
    auto bytes = std::make_shared<std::vector<std::byte>>(unquote(text, site()));
    push(make(Kind::kBytes));
    top().bytes = *bytes;
    top().storage = std::move(bytes);
  }
  void push_escaped_text(const std::string& text) {
    push(make(Kind::kText));
    top().text = unescape(text, site());
  }

  bool container(int op) {
    switch (op) {
      case '(':
        return stack_.mark(), true;
      case ']':
        return push(make(Kind::kList)), true;
      case ')':
        return push(make(Kind::kTuple)), true;
      case '}':
        return push(make(Kind::kDict)), true;
      case 'l':
        return push(stack_.gathered(Kind::kList, stack_.pop_to_mark())), true;
      case 't':
        return push(stack_.gathered(Kind::kTuple, stack_.pop_to_mark())), true;
      case 'd':
        return push(stack_.gathered(Kind::kDict, stack_.pop_to_mark())), true;
      case 0x85:
        return push_tuple(1), true;
      case 0x86:
        return push_tuple(2), true;
      case 0x87:
        return push_tuple(3), true;
      case 'a': {
        const Ref v = pop();
        return stack_.put_all(top(), Kind::kList, {v}), true;
      }
      case 'e': {
        const auto v = stack_.pop_to_mark();
        return stack_.put_all(top(), Kind::kList, v), true;
      }
      case 's': {
        const Ref v = pop(), k = pop();
        return stack_.put_all(top(), Kind::kDict, {k, v}), true;
      }
      case 'u': {
        const auto v = stack_.pop_to_mark();
        return stack_.put_all(top(), Kind::kDict, v), true;
      }
      case '0':
        return pop(), true;
      case '1':
        return stack_.pop_to_mark(), true;
      case '2':
        return push(stack_.top()), true;
      default:
        return false;
    }
  }

  bool memo(int op) {
    switch (op) {
      case 'p':
        return remember(in_.line_number<std::uint64_t>(in_.line())), true;
      case 'q':
        return remember(in_.number<std::uint8_t>()), true;
      case 'r':
        return remember(in_.number<std::uint32_t>()), true;
      case 0x94:
        return remember(memo_.size()), true;
      case 'g':
        return recall(in_.line_number<std::uint64_t>(in_.line())), true;
      case 'h':
        return recall(in_.number<std::uint8_t>()), true;
      case 'j':
        return recall(in_.number<std::uint32_t>()), true;
      default:
        return false;
    }
  }
  void remember(std::uint64_t key) {
    stack_.spend(64);  // about what an entry of the table takes
    memo_[key] = stack_.top();
  }
  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) stop("a value is referred to before it exists", "memo " + std::to_string(key));
    push(found->second);
  }

  bool object(int op) {
    switch (op) {
      case 'c': {
        const std::string module = in_.line();
        return push_global(module + " " + in_.line()), true;
      }
      case 0x93:
        return push_stacked_global(), true;
      case 'R':
        return reduce(), true;
      case 'b':
        return build(), true;
      case 'Q':
        if (globals_ != PickleGlobals::kTorch) return false;
        return push_reference(), true;
      default:
        return false;
    }
  }
  void push_global(const std::string& name) {
    if (!known_global(name, globals_))
      refuse(site().where, site().at, "it names a foreign global",
             globals_ == PickleGlobals::kTorch ? "tensors, numbers and texts only, as in a state dict"
                                               : "numpy arrays and byte strings only",
             name.substr(0, 80));
    push(make(Kind::kObject));
    top().text = name;
  }
  void push_stacked_global() {
    const Ref name = pop(), module = pop();
    if (name->kind != Kind::kText || module->kind != Kind::kText) stop("a global lacks its name");
    push_global(module->text + " " + name->text);
  }
  void push_reference() {
    const Ref id = pop();
    Ref reference = make(Kind::kReference);
    stack_.put(*reference, id);
    push(std::move(reference));
  }
  void build() {
    const Ref state = pop();
    // An ordered dict's own attributes: the `_metadata` of a state dict, which says nothing about its tensors.
    if (top().kind == Kind::kDict && globals_ == PickleGlobals::kTorch) return;
    build_object(top(), *state, site());
  }
  void reduce() {
    const Ref arguments = pop(), callee = pop();
    if (callee->kind != Kind::kObject) stop("something is called that cannot be");
    // A conversion may copy what it is given; a pickle could otherwise copy one large value a million times.
    std::size_t copied = 0;
    for (const auto& a : arguments->items) copied += a->text.size() + a->bytes.size();
    stack_.spend(copied);
    Ref result = make(Kind::kNone);
    if (kept_call(callee->text)) {
      result->kind = Kind::kCall;
      result->text = callee->text;
      if (arguments->kind != Kind::kTuple) stop("a call lacks its arguments");
      for (const auto& a : arguments->items) stack_.put(*result, std::static_pointer_cast<Node>(a));
      return push(std::move(result));
    }
    call_global(callee->text, *arguments, *result, site());
    push(std::move(result));
  }

  Input in_;
  Stack stack_;
  const PickleGlobals globals_;
  std::unordered_map<std::uint64_t, Ref> memo_;
  const Ref none_ = constant(Kind::kNone, false), true_ = constant(Kind::kBool, true),
            false_ = constant(Kind::kBool, false);
};

}  // namespace
}  // namespace pickle

std::shared_ptr<PickleValue> read_pickle(std::span<const std::byte> bytes, const std::string& where,
                                         PickleGlobals globals, std::size_t* used) {
  pickle::Machine machine(bytes, where, globals);
  auto value = machine.run();
  if (used != nullptr) *used = machine.used();
  return value;
}

}  // namespace likeness
