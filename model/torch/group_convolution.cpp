#include "model/torch/group_convolution.h"

#include <torch/csrc/autograd/custom_function.h>

#include "model/torch/rows.h"

namespace likeness::model {
namespace {

using kernel::ComputeT;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x and y channels-last.
struct Extent {
  std::int64_t batch, channels, height, width, out_height, out_width;
  int kernel_h, kernel_w, stride, padding;
  bool twin;
  int taps() const { return kernel_h * kernel_w; }
};

Extent extent_of(const at::Tensor& x, const at::Tensor& weight, const ConvShape& shape) {
  Extent e{.batch = x.size(0),
           .channels = x.size(1),
           .height = x.size(2),
           .width = x.size(3),
           .out_height = 0,
           .out_width = 0,
           .kernel_h = static_cast<int>(weight.size(2)),
           .kernel_w = static_cast<int>(weight.size(3)),
           .stride = shape.stride,
           .padding = shape.padding,
           .twin = weight.size(1) == 2};
  e.out_height = (e.height + 2 * e.padding - e.kernel_h) / e.stride + 1;
  e.out_width = (e.width + 2 * e.padding - e.kernel_w) / e.stride + 1;
  TORCH_CHECK(e.out_height > 0 && e.out_width > 0, "convolution: the kernel is larger than its input ", x.sizes());
  return e;
}

// The weight [C, 1 or 2, kh, kw] as planes [taps, C]: what multiplies a channel itself and what multiplies its
// neighbour.
template <class A>
struct Planes {
  std::vector<A> own, twin;
  // Where the gradient flows back, channel c collects from its neighbour with the neighbour's weight.
  Planes transposed() const {
    Planes t = *this;
    for (std::size_t i = 0; i + 1 < twin.size(); i += 2) std::swap(t.twin[i], t.twin[i + 1]);
    return t;
  }
};

// `round`: to bf16 first, as the feature maps are.
template <class A>
Planes<A> planes_of(const at::Tensor& weight, const Extent& e, bool round) {
  const at::Tensor w = (round ? weight.to(at::kBFloat16).to(weight.scalar_type()) : weight).contiguous();
  const A* p = data<A>(w);
  const int taps = e.taps(), per_group = e.twin ? 2 : 1;
  Planes<A> planes;
  planes.own.resize(taps * e.channels);
  if (e.twin) planes.twin.resize(taps * e.channels);
  for (std::int64_t c = 0; c < e.channels; ++c) {
    const std::int64_t lane = c % per_group;
    for (int t = 0; t < taps; ++t) {
      planes.own[t * e.channels + c] = p[(c * per_group + lane) * taps + t];
      if (e.twin) planes.twin[t * e.channels + c] = p[(c * 2 + (lane ^ 1)) * taps + t];
    }
  }
  return planes;
}

// The taps of one output pixel.
template <class T>
struct Taps {
  using A = ComputeT<T>;
  explicit Taps(const Extent& e) : x(e.taps()), own(e.taps()), twin(e.taps()) {}
  void add(const T* from, const Planes<A>& planes, std::int64_t at) {
    x[n] = from;
    own[n] = planes.own.data() + at;
    twin[n++] = planes.twin.empty() ? nullptr : planes.twin.data() + at;
  }
  int n = 0;
  std::vector<const T*> x;
  std::vector<const A*> own, twin;
};

template <class T>
void run_forward(const T* x, T* y, const Planes<ComputeT<T>>& planes, const Extent& e) {
  const auto& loops = kernel::group_kernels<T>(kernel::kernels(), e.twin);
  at::parallel_for(0, e.batch * e.out_height, 1, [&](std::int64_t begin, std::int64_t end) {
    Taps<T> taps(e);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t b = row / e.out_height, top = row % e.out_height * e.stride - e.padding;
      for (std::int64_t ow = 0; ow < e.out_width; ++ow) {
        taps.n = 0;
        for (int kh = 0; kh < e.kernel_h; ++kh) {
          const std::int64_t ih = top + kh;
          if (ih < 0 || ih >= e.height) continue;
          for (int kw = 0; kw < e.kernel_w; ++kw) {
            const std::int64_t iw = ow * e.stride - e.padding + kw;
            if (iw < 0 || iw >= e.width) continue;
            taps.add(x + ((b * e.height + ih) * e.width + iw) * e.channels, planes,
                     (kh * e.kernel_w + kw) * e.channels);
          }
        }
        loops.gather(taps.n, taps.x.data(), taps.own.data(), taps.twin.data(),
                     y + (row * e.out_width + ow) * e.channels, e.channels);
      }
    }
  });
}

template <class T>
void run_backward_input(const T* dy, T* dx, const Planes<ComputeT<T>>& planes, const Extent& e) {
  const auto& loops = kernel::group_kernels<T>(kernel::kernels(), e.twin);
  at::parallel_for(0, e.batch * e.height, 1, [&](std::int64_t begin, std::int64_t end) {
    Taps<T> taps(e);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t b = row / e.height, ih = row % e.height;
      for (std::int64_t iw = 0; iw < e.width; ++iw) {
        taps.n = 0;
        for (int kh = 0; kh < e.kernel_h; ++kh) {
          const std::int64_t h = ih + e.padding - kh, oh = h / e.stride;
          if (h < 0 || h % e.stride != 0 || oh >= e.out_height) continue;
          for (int kw = 0; kw < e.kernel_w; ++kw) {
            const std::int64_t w = iw + e.padding - kw, ow = w / e.stride;
            if (w < 0 || w % e.stride != 0 || ow >= e.out_width) continue;
            taps.add(dy + ((b * e.out_height + oh) * e.out_width + ow) * e.channels, planes,
                     (kh * e.kernel_w + kw) * e.channels);
          }
        }
        loops.gather(taps.n, taps.x.data(), taps.own.data(), taps.twin.data(), dx + (row * e.width + iw) * e.channels,
                     e.channels);
      }
    }
  });
}

// The weight's gradient in planes [taps, C] (own, then twin), f64.
template <class T>
std::vector<double> run_backward_weight(const T* x, const T* dy, const Extent& e) {
  const auto& loops = kernel::group_kernels<T>(kernel::kernels(), e.twin);
  const std::int64_t plane = e.taps() * e.channels, rows = e.batch * e.out_height;
  const Pieces pieces{rows, std::max<std::int64_t>(4, (rows + 63) / 64)};
  Partials partials(pieces, e.twin ? 2 * plane : plane);
  // Output columns whose taps all lie inside: a kernel row's taps are then computed together.
  const std::int64_t first = (e.padding + e.stride - 1) / e.stride;
  const std::int64_t room = e.width - e.kernel_w + e.padding;
  const std::int64_t last = room < 0 ? -1 : std::min(e.out_width - 1, room / e.stride);
  const std::int64_t step = e.stride * e.channels;
  each_piece(pieces, [&](std::int64_t piece, std::int64_t begin, std::int64_t count) {
    double *own = partials.of(piece), *twin = e.twin ? own + plane : nullptr;
    for (std::int64_t row = begin; row < begin + count; ++row) {
      const std::int64_t b = row / e.out_height, top = row % e.out_height * e.stride - e.padding;
      const T* g = dy + row * e.out_width * e.channels;
      for (int kh = 0; kh < e.kernel_h; ++kh) {
        const std::int64_t ih = top + kh;
        if (ih < 0 || ih >= e.height) continue;
        const T* in = x + (b * e.height + ih) * e.width * e.channels;
        const std::int64_t at = static_cast<std::int64_t>(kh) * e.kernel_w * e.channels;
        if (first <= last) {
          loops.products(e.kernel_w, g + first * e.channels, in + (first * e.stride - e.padding) * e.channels, step,
                         last - first + 1, e.channels, own + at, e.twin ? twin + at : nullptr);
        }
        for (std::int64_t ow = 0; ow < e.out_width; ++ow) {
          if (ow >= first && ow <= last) continue;
          for (int kw = 0; kw < e.kernel_w; ++kw) {
            const std::int64_t iw = ow * e.stride - e.padding + kw, tap = at + kw * e.channels;
            if (iw < 0 || iw >= e.width) continue;
            loops.products(1, g + ow * e.channels, in + iw * e.channels, step, 1, e.channels, own + tap,
                           e.twin ? twin + tap : nullptr);
          }
        }
      }
    }
  });
  return partials.total();
}

template <class A>
void planes_to_weight(const std::vector<double>& planes, const at::Tensor& gradient, const Extent& e) {
  const int taps = e.taps(), per_group = e.twin ? 2 : 1;
  A* out = mutable_data<A>(gradient);
  for (std::int64_t c = 0; c < e.channels; ++c) {
    const std::int64_t lane = c % per_group;
    for (int t = 0; t < taps; ++t) {
      out[(c * per_group + lane) * taps + t] = static_cast<A>(planes[t * e.channels + c]);
      if (e.twin) out[(c * 2 + (lane ^ 1)) * taps + t] = static_cast<A>(planes[(taps + t) * e.channels + c]);
    }
  }
}

class GroupConvolution : public torch::autograd::Function<GroupConvolution> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_any, const at::Tensor& weight,
                            const ConvShape& shape) {
    const at::Tensor x = in_rows(x_any);
    const Extent e = extent_of(x, weight, shape);
    at::Tensor y =
        at::empty({e.batch, e.channels, e.out_height, e.out_width}, x.options(), at::MemoryFormat::ChannelsLast);
    dispatch(x.scalar_type(), [&]<class T>(T) {
      run_forward<T>(data<T>(x), mutable_data<T>(y),
                     planes_of<ComputeT<T>>(weight, e, x.scalar_type() == at::kBFloat16), e);
    });
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = shape.stride;
    context->saved_data["padding"] = shape.padding;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], dy = in_rows(gradients[0]);
    const Extent e = extent_of(x, weight,
                               {.stride = static_cast<int>(context->saved_data["stride"].toInt()),
                                .padding = static_cast<int>(context->saved_data["padding"].toInt())});
    at::Tensor dx, dw;
    dispatch(x.scalar_type(), [&]<class T>(T) {
      using A = ComputeT<T>;
      if (context->needs_input_grad(0)) {
        dx = at::empty_like(x);
        run_backward_input<T>(data<T>(dy), mutable_data<T>(dx),
                              planes_of<A>(weight, e, x.scalar_type() == at::kBFloat16).transposed(), e);
      }
      if (context->needs_input_grad(1)) {
        dw = at::empty(weight.sizes(), weight.options());
        planes_to_weight<A>(run_backward_weight<T>(data<T>(x), data<T>(dy), e), dw, e);
      }
    });
    return {dx, dw, at::Tensor()};
  }
};

}  // namespace

bool is_narrow_group(const at::Tensor& x, const at::Tensor& weight, const ConvShape& shape) {
  return shape.groups > 1 && weight.size(0) == x.size(1) && weight.size(1) <= 2;
}

at::Tensor group_convolution(const at::Tensor& x, const at::Tensor& weight, const ConvShape& shape) {
  return GroupConvolution::apply(x, weight, shape);
}

}  // namespace likeness::model
