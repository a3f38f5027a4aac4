/* The loops of rows.c for one type of NUMBER; included once for each. */

static inline NUMBER NAMED(power_of_two)(int32_t exponent)
{
    union {
        INTEGER bits;
        NUMBER number;
    } both = {(INTEGER)(exponent + BIAS) << MANTISSA};
    return both.number;
}

/* e^r − 1 for x = r + n ln 2 with |r| ≤ ½ ln 2, and n. The series has 7 terms in single, 13 in double precision. */
static inline NUMBER NAMED(reduced_exponential)(NUMBER x, int32_t *exponent)
{
    const NUMBER rounder = (NUMBER)1.5 * ((INTEGER)1 << MANTISSA); /* added, it leaves no room for a fraction */
    const NUMBER n = (x * (NUMBER)1.4426950408889634 + rounder) - rounder, r = (x - n * LN2_HIGH) - n * LN2_LOW;
    NUMBER p = 0;
    if (MANTISSA == 52) {
        p = (NUMBER)(1 / 6227020800.0);
        p = p * r + (NUMBER)(1 / 479001600.0);
        p = p * r + (NUMBER)(1 / 39916800.0);
        p = p * r + (NUMBER)(1 / 3628800.0);
        p = p * r + (NUMBER)(1 / 362880.0);
        p = p * r + (NUMBER)(1 / 40320.0);
    }
    p = p * r + (NUMBER)(1 / 5040.0);
    p = p * r + (NUMBER)(1 / 720.0);
    p = p * r + (NUMBER)(1 / 120.0);
    p = p * r + (NUMBER)(1 / 24.0);
    p = p * r + (NUMBER)(1 / 6.0);
    p = p * r + (NUMBER)0.5;
    *exponent = (int32_t)n;
    return r + r * r * p;
}

static inline NUMBER NAMED(exponential)(NUMBER x)
{
    int32_t exponent;
    const NUMBER within = x > LEAST ? (x < MOST ? x : MOST) : LEAST;
    const NUMBER p = 1 + NAMED(reduced_exponential)(within, &exponent);
    const int32_t half = exponent >> 1; /* in two steps, so that no power is out of range */
    const NUMBER e = p * NAMED(power_of_two)(half) * NAMED(power_of_two)(exponent - half);
    return x == x ? e : x;
}

/* (e^(2x) − 1)/(e^(2x) + 1), where e^(2x) − 1 keeps its digits near 0. */
static inline NUMBER NAMED(hyperbolic_tangent)(NUMBER x)
{
    int32_t exponent;
    const NUMBER size = x < 0 ? -x : x, twice = size < 22 ? 2 * size : 44; /* from there on it is 1 */
    const NUMBER p = NAMED(reduced_exponential)(twice, &exponent), power = NAMED(power_of_two)(exponent);
    const NUMBER e = power * p + (power - 1), t = e / (e + 2);
    return x < 0 ? -t : x == x ? t : x;
}

static inline NUMBER NAMED(logistic)(NUMBER x)
{
    return 1 / (1 + NAMED(exponential)(-x));
}

#define MAP(name, VALUE)                                                                                              \
    FOR_ARITHMETIC static void NAMED(name)(const Job *job)                                                            \
    {                                                                                                                 \
        const Py_ssize_t n = job->rows * job->length;                                                                 \
        const NUMBER *restrict input = INPUT(0);                                                                      \
        NUMBER *restrict output = OUTPUT(1);                                                                          \
        VECTORIZED for (Py_ssize_t i = 0; i < n; i++)                                                                 \
        {                                                                                                             \
            const NUMBER x = input[i];                                                                                \
            output[i] = (VALUE);                                                                                      \
        }                                                                                                             \
    }

MAP(sigmoid, NAMED(logistic)(x))
MAP(silu, x * NAMED(logistic)(x))

static inline NUMBER NAMED(slope_of_silu)(NUMBER x)
{
    const NUMBER s = NAMED(logistic)(x);
    return s * (1 + x * (1 - s));
}

MAP(silu_slope, NAMED(slope_of_silu)(x))

#if MANTISSA == 23
/* max(0, x) − |x| Φ(−|x|); the polynomial is that of the tail in nn/activation/smooth.py. */
static inline NUMBER NAMED(normal_weighted)(NUMBER x)
{
    const NUMBER size = x < 0 ? -x : x, near = size > 20 ? 20 : size, z = near * 0.70710678118654752f;
    const NUMBER t = 1 / (0.5f * z + 1);
    NUMBER p = t * 0.170891051f - 0.822231333f;
    p = p * t + 1.48865869f;
    p = p * t - 1.13534334f;
    p = p * t + 0.27894771f;
    p = p * t - 0.186315043f;
    p = p * t + 0.0967894238f;
    p = p * t + 0.374091429f;
    p = p * t + 1.0000237f;
    p = p * t - 1.26551223f;
    return (x < 0 ? 0 : x) - 0.5f * near * t * NAMED(exponential)(p - z * z);
}

MAP(gelu, NAMED(normal_weighted)(x))
#endif

/* Φ(x) + x φ(x), where Φ follows from the output x Φ(x). */
FOR_ARITHMETIC
static void NAMED(gelu_slope)(const Job *job)
{
    const Py_ssize_t n = job->rows * job->length;
    const NUMBER *restrict input = INPUT(0), *restrict result = INPUT(1);
    NUMBER *restrict output = OUTPUT(2);
    VECTORIZED for (Py_ssize_t i = 0; i < n; i++)
    {
        const NUMBER x = input[i], density = NAMED(exponential)((NUMBER)-0.5 * x * x) * (NUMBER)0.39894228040143268;
        output[i] = (x == 0 ? (NUMBER)0.5 : result[i] / x) + x * density;
    }
}

/* total = Σ VALUE over i < n, in pieces, so that a long row keeps its digits. */
#define SUM(total, VALUE)                                                                                             \
    double total = 0;                                                                                                 \
    for (Py_ssize_t start = 0; start < n; start += PIECE) {                                                           \
        const Py_ssize_t end = n - start < PIECE ? n : start + PIECE;                                                 \
        NUMBER part = 0;                                                                                              \
        SUMMED(part) for (Py_ssize_t i = start; i < end; i++) part += (VALUE);                                        \
        total += (double)part;                                                                                        \
    }

/* e^(x − max x)/Σ, which cannot overflow; input and output may be the same. */
FOR_ARITHMETIC
static void NAMED(softmax)(const Job *job)
{
    const Py_ssize_t n = job->length;
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *x = INPUT(0) + row * n;
        NUMBER *output = OUTPUT(1) + row * n, most = -LARGEST;
        GREATEST(most) for (Py_ssize_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
        SUM(total, output[i] = NAMED(exponential)(x[i] - most))
        const NUMBER sum = (NUMBER)total;
        if (sum == 0) { /* all are −∞ */
            for (Py_ssize_t i = 0; i < n; i++)
                output[i] = (NUMBER)job->parameter;
            continue;
        }
        VECTORIZED for (Py_ssize_t i = 0; i < n; i++) output[i] /= sum;
    }
}

/* s ⊙ (v − Σ s v): the cotangent of the logits for that of the output, or the other way round. */
FOR_ARITHMETIC
static void NAMED(softmax_slope)(const Job *job)
{
    const Py_ssize_t n = job->length;
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *restrict v = INPUT(0) + row * n, *restrict s = INPUT(1) + row * n;
        NUMBER *restrict output = OUTPUT(2) + row * n;
        SUM(total, s[i] * v[i])
        const NUMBER along = (NUMBER)total;
        VECTORIZED for (Py_ssize_t i = 0; i < n; i++) output[i] = s[i] * (v[i] - along);
    }
}

/* Mean and variance of each row. */
FOR_ARITHMETIC
static void NAMED(moments)(const Job *job)
{
    const Py_ssize_t n = job->length;
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *restrict x = INPUT(0) + row * n;
        SUM(sum, x[i])
        const NUMBER mean = (NUMBER)(sum / (double)n);
        SUM(squares, (x[i] - mean) * (x[i] - mean))
        OUTPUT(1)[row] = mean;
        OUTPUT(2)[row] = (NUMBER)(squares / (double)n);
    }
}

/* γ (x − μ)/√(σ² + ε) + β. */
FOR_ARITHMETIC
static void NAMED(standardize)(const Job *job)
{
    const Py_ssize_t n = job->length;
    const NUMBER *restrict weight = INPUT(1), *restrict bias = INPUT(2);
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *restrict x = INPUT(0) + row * n;
        NUMBER *restrict output = OUTPUT(5) + row * n;
        const NUMBER mean = INPUT(3)[row], scale = 1 / SQRT(INPUT(4)[row] + (NUMBER)job->parameter);
        VECTORIZED for (Py_ssize_t i = 0; i < n; i++) output[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    }
}

/* x̄ = (h − mean(h) − x̂ mean(h x̂))/σ for h = γ g, γ̄ = Σ g x̂ and β̄ = Σ g. */
FOR_ARITHMETIC
static void NAMED(standardize_slope)(const Job *job)
{
    const Py_ssize_t n = job->length;
    const NUMBER *restrict weight = INPUT(2);
    NUMBER *restrict to_weight = OUTPUT(6), *restrict to_bias = OUTPUT(7);
    memset(to_weight, 0, (size_t)n * sizeof(NUMBER));
    memset(to_bias, 0, (size_t)n * sizeof(NUMBER));
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *restrict g = INPUT(0) + row * n, *restrict x = INPUT(1) + row * n;
        NUMBER *restrict output = OUTPUT(5) + row * n;
        const NUMBER mean = INPUT(3)[row], scale = 1 / SQRT(INPUT(4)[row] + (NUMBER)job->parameter);
        double sum_of_h = 0, sum_of_products = 0;
        for (Py_ssize_t start = 0; start < n; start += PIECE) {
            const Py_ssize_t end = n - start < PIECE ? n : start + PIECE;
            NUMBER h_part = 0, product_part = 0;
            SUMMED(h_part, product_part) for (Py_ssize_t i = start; i < end; i++)
            {
                const NUMBER normal = (x[i] - mean) * scale, h = g[i] * weight[i];
                h_part += h;
                product_part += h * normal;
                to_weight[i] += g[i] * normal;
                to_bias[i] += g[i];
            }
            sum_of_h += (double)h_part;
            sum_of_products += (double)product_part;
        }
        const NUMBER sum = (NUMBER)(sum_of_h / (double)n), along = (NUMBER)(sum_of_products / (double)n);
        VECTORIZED for (Py_ssize_t i = 0; i < n; i++)
        {
            const NUMBER normal = (x[i] - mean) * scale;
            output[i] = (g[i] * weight[i] - sum - normal * along) * scale;
        }
    }
}

/* One step of an LSTM: from W h and the inputs' share of the gates, which become the gates i, f, g, o themselves, to the
   new cell c' = f c + i g and to o tanh c'. */
FOR_ARITHMETIC
static void NAMED(lstm_step)(const Job *job)
{
    const Py_ssize_t n = job->length;
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *restrict product = INPUT(0) + row * 4 * n, *restrict cell = INPUT(1) + row * n;
        NUMBER *restrict gates = OUTPUT(2) + row * 4 * n;
        NUMBER *restrict new_cell = OUTPUT(3) + row * n, *restrict output = OUTPUT(4) + row * n;
        VECTORIZED for (Py_ssize_t j = 0; j < n; j++)
        {
            const NUMBER i = NAMED(logistic)(gates[j] + product[j]);
            const NUMBER f = NAMED(logistic)(gates[n + j] + product[n + j]);
            const NUMBER g = NAMED(hyperbolic_tangent)(gates[2 * n + j] + product[2 * n + j]);
            const NUMBER o = NAMED(logistic)(gates[3 * n + j] + product[3 * n + j]);
            const NUMBER c = f * cell[j] + i * g;
            gates[j] = i;
            gates[n + j] = f;
            gates[2 * n + j] = g;
            gates[3 * n + j] = o;
            new_cell[j] = c;
            output[j] = o * NAMED(hyperbolic_tangent)(c);
        }
    }
}

/* Back through that step: from the cotangents of o tanh c' and of c', the second of which becomes that of c, to those of
   the gates' arguments. */
FOR_ARITHMETIC
static void NAMED(lstm_step_slope)(const Job *job)
{
    const Py_ssize_t n = job->length;
    for (Py_ssize_t row = 0; row < job->rows; row++) {
        const NUMBER *restrict to_output = INPUT(0) + row * n, *restrict gates = INPUT(1) + row * 4 * n;
        const NUMBER *restrict cell = INPUT(2) + row * n, *restrict new_cell = INPUT(3) + row * n;
        NUMBER *restrict to_cell = OUTPUT(4) + row * n, *restrict slopes = OUTPUT(5) + row * 4 * n;
        VECTORIZED for (Py_ssize_t j = 0; j < n; j++)
        {
            const NUMBER i = gates[j], f = gates[n + j], g = gates[2 * n + j], o = gates[3 * n + j];
            const NUMBER t = NAMED(hyperbolic_tangent)(new_cell[j]), h = to_output[j];
            const NUMBER c = to_cell[j] + h * o * (1 - t * t);
            slopes[j] = c * g * i * (1 - i);
            slopes[n + j] = c * cell[j] * f * (1 - f);
            slopes[2 * n + j] = c * i * (1 - g * g);
            slopes[3 * n + j] = h * t * o * (1 - o);
            to_cell[j] = c * f;
        }
    }
}

#undef MAP
#undef SUM
#undef NUMBER
#undef INTEGER
#undef NAMED
#undef SQRT
#undef MANTISSA
#undef BIAS
#undef LEAST
#undef MOST
#undef LN2_HIGH
#undef LN2_LOW
#undef LARGEST
