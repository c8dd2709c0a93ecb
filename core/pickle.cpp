// The opcodes: pickletools.py of CPython is their reference.
#include "core/pickle.h"

#include <charconv>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/pickle_value.h"

namespace likeness {
namespace pickle {

void refuse(const std::string& where, std::size_t at, const std::string& what, const std::string& expected, const std::string& got) {
  fail_data({"pickle is refused: " + what, where + ", byte " + std::to_string(at), expected, got,
             "only plain values and numpy arrays are read; nothing in the file is ever run"});
}

namespace {

constexpr int kDeepest = 100;  // real packs are 4 deep

class Machine {
 public:
  Machine(std::span<const std::byte> in, const std::string& where) : in_(in), where_(where), budget_((16 << 20) + 16 * in.size()) {
    none_ = constant(Kind::kNone, false);
    true_ = constant(Kind::kBool, true);
    false_ = constant(Kind::kBool, false);
  }

  Ref run() {
    for (;;) {
      op_at_ = at_;
      const int op = number<std::uint8_t>();
      if (op == '.') {
        Ref result = pop();
        if (!stack_.empty() || !marks_.empty()) stop("values are left on the stack");
        return result;
      }
      if (!scalar(op) && !string(op) && !container(op) && !memo(op) && !object(op)) {
        char code[8];
        std::snprintf(code, sizeof code, "0x%02x", op);
        stop("unknown or forbidden opcode", code);
      }
    }
  }

 private:
  [[noreturn]] void stop(const std::string& what, const std::string& got = "") const { refuse(where_, op_at_, what, "", got); }

  // --- the input ---
  std::span<const std::byte> take(std::uint64_t n) {
    if (n > in_.size() - at_) stop("it ends too early", std::to_string(in_.size()) + " bytes");
    const auto bytes = in_.subspan(at_, n);
    at_ += n;
    return bytes;
  }
  template <class T> T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string line() {
    const void* end = std::memchr(in_.data() + at_, '\n', in_.size() - at_);
    if (!end) stop("it ends in the middle of a line");
    const auto bytes = take(static_cast<const std::byte*>(end) - (in_.data() + at_));
    ++at_;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // --- values ---
  Ref constant(Kind kind, bool value) {
    Ref v = std::make_shared<Node>();
    v->kind = kind;
    v->boolean = value;
    v->sealed = true;
    return v;
  }
  // Keeps memory within a small multiple of the input: a pickle of one byte for each value would else fill it.
  void spend(std::size_t bytes) {
    if (bytes > budget_) stop("it makes more values than its size allows");
    budget_ -= bytes;
  }
  Ref make(Kind kind) {
    spend(sizeof(Node) + 32);  // with its control block and its place on the stack
    Ref v = std::make_shared<Node>();
    v->kind = kind;
    return v;
  }
  void push(Ref v) {
    stack_.push_back(std::move(v));
    if (stack_.size() > in_.size()) stop("stack overflow");
  }
  Ref pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) stop("stack underflow");
    Ref v = std::move(stack_.back());
    stack_.pop_back();
    return v;
  }
  Node& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) stop("stack underflow");
    return *stack_.back();
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) stop("a mark is missing");
    std::vector<Ref> values(std::make_move_iterator(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back())),
                            std::make_move_iterator(stack_.end()));
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }
  void put(Node& into, const Ref& value) {
    if (into.sealed || &into == value.get()) stop("a value contains itself, or changes after it was used");
    value->sealed = true;
    into.depth = std::max(into.depth, value->depth + 1);
    if (into.depth > kDeepest) stop("values are nested too deep");
    spend(2 * sizeof(Ref));
    into.items.push_back(value);
  }
  void put_all(Node& into, Kind kind, const std::vector<Ref>& values) {
    if (into.kind != kind) stop("items are added to something that holds none");
    if (kind == Kind::kDict && values.size() % 2 != 0) stop("a key has no value");
    for (const Ref& v : values) put(into, v);
  }
  Ref gathered(Kind kind, const std::vector<Ref>& values) {
    Ref v = make(kind);
    put_all(*v, kind, values);
    return v;
  }
  void push_tuple(std::size_t n) {
    std::vector<Ref> values(n);
    for (std::size_t i = n; i-- > 0;) values[i] = pop();
    push(gathered(Kind::kTuple, values));
  }
  void push_int(std::int64_t value) {
    push(make(Kind::kInt));
    top().integer = value;
  }

  // --- opcodes, by family; each returns whether `op` was one of its own ---
  bool scalar(int op) {
    switch (op) {
      case 'N': return push(none_), true;
      case 0x88: return push(true_), true;
      case 0x89: return push(false_), true;
      case 'J': return push_int(number<std::int32_t>()), true;
      case 'K': return push_int(number<std::uint8_t>()), true;
      case 'M': return push_int(number<std::uint16_t>()), true;
      case 0x8a: return push_int(long_integer(number<std::uint8_t>())), true;
      case 0x8b: return push_int(long_integer(number<std::uint32_t>())), true;
      case 'I': case 'L': return push_text_integer(), true;
      case 'F': return push_float(line()), true;
      case 'G': return push_big_endian_float(), true;
      case 0x80:
        if (const int protocol = number<std::uint8_t>(); protocol > 5) stop("protocol is newer than 5", std::to_string(protocol));
        return true;
      case 0x95:
        if (number<std::uint64_t>() > in_.size() - at_) stop("a frame is longer than the file");
        return true;
      default: return false;
    }
  }

  std::int64_t long_integer(std::uint64_t n) {
    const auto bytes = take(n);
    if (n > 8) stop("a whole number does not fit 64 bits");
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), n);
    const int spare = static_cast<int>(64 - 8 * n);
    return n == 0 ? 0 : static_cast<std::int64_t>(value << spare) >> spare;
  }
  void push_text_integer() {
    std::string text = line();
    if (text == "00" || text == "01") return push(text == "01" ? true_ : false_);
    if (!text.empty() && text.back() == 'L') text.pop_back();
    std::int64_t value = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size()) stop("not a whole number of 64 bits", text.substr(0, 30));
    push_int(value);
  }
  void push_float(const std::string& text) {
    double value = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size()) stop("not a number", text.substr(0, 30));
    push(make(Kind::kFloat));
    top().real = value;
  }
  void push_big_endian_float() {
    push(make(Kind::kFloat));
    const std::uint64_t bits = __builtin_bswap64(number<std::uint64_t>());
    std::memcpy(&top().real, &bits, sizeof bits);
  }

  bool string(int op) {
    switch (op) {
      case 'U': case 'C': return push_bytes(number<std::uint8_t>()), true;
      case 'T': case 'B': return push_bytes(number<std::uint32_t>()), true;
      case 0x8e: case 0x96: return push_bytes(number<std::uint64_t>()), true;
      case 'S': return push_quoted(line()), true;
      case 0x8c: return push_text(number<std::uint8_t>()), true;
      case 'X': return push_text(number<std::uint32_t>()), true;
      case 0x8d: return push_text(number<std::uint64_t>()), true;
      case 'V': return push_escaped_text(line()), true;
      default: return false;
    }
  }

  void push_bytes(std::uint64_t n) {
    const auto bytes = take(n);
    push(make(Kind::kBytes));
    top().bytes = bytes;
  }
  void push_text(std::uint64_t n) {
    const auto bytes = take(n);
    push(make(Kind::kText));
    top().text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void push_quoted(const std::string& text) {
    auto bytes = std::make_shared<std::vector<std::byte>>(unquote(text, {where_, op_at_}));
    push(make(Kind::kBytes));
    top().bytes = *bytes;
    top().storage = std::move(bytes);
  }
  void push_escaped_text(const std::string& text) {
    push(make(Kind::kText));
    top().text = unescape(text, {where_, op_at_});
  }

  bool container(int op) {
    switch (op) {
      case '(': return marks_.push_back(stack_.size()), true;
      case ']': return push(make(Kind::kList)), true;
      case ')': return push(make(Kind::kTuple)), true;
      case '}': return push(make(Kind::kDict)), true;
      case 'l': return push(gathered(Kind::kList, pop_to_mark())), true;
      case 't': return push(gathered(Kind::kTuple, pop_to_mark())), true;
      case 'd': return push(gathered(Kind::kDict, pop_to_mark())), true;
      case 0x85: return push_tuple(1), true;
      case 0x86: return push_tuple(2), true;
      case 0x87: return push_tuple(3), true;
      case 'a': { const Ref v = pop(); return put_all(top(), Kind::kList, {v}), true; }
      case 'e': { const auto v = pop_to_mark(); return put_all(top(), Kind::kList, v), true; }
      case 's': { const Ref v = pop(), k = pop(); return put_all(top(), Kind::kDict, {k, v}), true; }
      case 'u': { const auto v = pop_to_mark(); return put_all(top(), Kind::kDict, v), true; }
      case '0': return pop(), true;
      case '1': return pop_to_mark(), true;
      case '2': { top(); return push(stack_.back()), true; }
      default: return false;
    }
  }

  bool memo(int op) {
    switch (op) {
      case 'p': return remember(line_number()), true;
      case 'q': return remember(number<std::uint8_t>()), true;
      case 'r': return remember(number<std::uint32_t>()), true;
      case 0x94: return remember(memo_.size()), true;
      case 'g': return recall(line_number()), true;
      case 'h': return recall(number<std::uint8_t>()), true;
      case 'j': return recall(number<std::uint32_t>()), true;
      default: return false;
    }
  }
  std::uint64_t line_number() {
    const std::string text = line();
    std::uint64_t value = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size()) stop("not a memo number", text.substr(0, 30));
    return value;
  }
  void remember(std::uint64_t key) {
    top();
    spend(64);  // about what an entry of the table takes
    memo_[key] = stack_.back();
  }
  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) stop("a value is referred to before it exists", "memo " + std::to_string(key));
    push(found->second);
  }

  bool object(int op) {
    switch (op) {
      case 'c': { const std::string module = line(); return push_global(module + " " + line()), true; }
      case 0x93: return push_stacked_global(), true;
      case 'R': return reduce(), true;
      case 'b': { const Ref state = pop(); return build_object(top(), *state, {where_, op_at_}), true; }
      default: return false;
    }
  }
  void push_global(const std::string& name) {
    if (!known_global(name)) refuse(where_, op_at_, "it names a foreign global", "numpy arrays and byte strings only", name.substr(0, 80));
    push(make(Kind::kObject));
    top().text = name;
  }
  void push_stacked_global() {
    const Ref name = pop(), module = pop();
    if (name->kind != Kind::kText || module->kind != Kind::kText) stop("a global lacks its name");
    push_global(module->text + " " + name->text);
  }
  void reduce() {
    const Ref arguments = pop(), callee = pop();
    if (callee->kind != Kind::kObject) stop("something is called that cannot be");
    // A conversion may copy what it is given; a pickle could otherwise copy one large value a million times.
    std::size_t copied = 0;
    for (const auto& a : arguments->items) copied += a->text.size() + a->bytes.size();
    spend(copied);
    Ref result = make(Kind::kNone);
    call_global(callee->text, *arguments, *result, {where_, op_at_});
    push(std::move(result));
  }

  std::span<const std::byte> in_;
  const std::string& where_;
  std::size_t at_ = 0, op_at_ = 0, budget_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Ref> memo_;
  Ref none_, true_, false_;
};

}  // namespace
}  // namespace pickle

std::shared_ptr<PickleValue> read_pickle(std::span<const std::byte> bytes, const std::string& where) {
  return pickle::Machine(bytes, where).run();
}

}  // namespace likeness
