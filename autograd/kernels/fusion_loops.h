/* The loops of fusion.c for one type of NUMBER; included once for each. */

#define LOOP(X, Y, Z, VALUE)                                                                                          \
    VECTORIZED for (Py_ssize_t i = 0; i < n; i++)                                                                     \
    {                                                                                                                 \
        const NUMBER x = (X), y = (Y), z = (Z);                                                                       \
        (void)y, (void)z;                                                                                             \
        r[i] = (VALUE);                                                                                               \
    }                                                                                                                 \
    break;

#define UNARY(name, VALUE)                                                                                            \
    case op_##name:                                                                                                   \
        LOOP(a[i], 0, 0, VALUE)

#define BINARY(name, VALUE)                                                                                           \
    case op_##name:                                                                                                   \
        if (at[2] >= CONSTANT) {                                                                                      \
            const NUMBER number = a[0];                                                                               \
            LOOP(number, b[i], 0, VALUE)                                                                              \
        } else if (at[3] >= CONSTANT) {                                                                               \
            const NUMBER number = b[0];                                                                               \
            LOOP(a[i], number, 0, VALUE)                                                                              \
        } else {                                                                                                      \
            LOOP(a[i], b[i], 0, VALUE)                                                                                \
        }

#define TERNARY(name, VALUE)                                                                                          \
    case op_##name:                                                                                                   \
        if (at[3] < CONSTANT && at[4] < CONSTANT) {                                                                   \
            LOOP(a[i], b[i], c[i], VALUE)                                                                             \
        } else if (at[3] < CONSTANT) {                                                                                \
            const NUMBER number = c[0];                                                                               \
            LOOP(a[i], b[i], number, VALUE)                                                                           \
        } else if (at[4] < CONSTANT) {                                                                                \
            const NUMBER number = b[0];                                                                               \
            LOOP(a[i], number, c[i], VALUE)                                                                           \
        } else {                                                                                                      \
            const NUMBER number = b[0], other = c[0];                                                                 \
            LOOP(a[i], number, other, VALUE)                                                                          \
        }

FOR_MEMORY
static void RUN(const Program *program, const Py_buffer *views, NUMBER *scratch, Py_ssize_t block, Py_ssize_t start,
                Py_ssize_t end)
{
    NUMBER *const numbers = scratch + program->scratch * block;
    for (; start < end; start += block) {
        const Py_ssize_t n = end - start < block ? end - start : block;
        for (const uint8_t *at = program->code; at < program->end; at += WIDTH) {
            NUMBER *places[WIDTH];
            for (int i = 1; i < WIDTH; i++)
                places[i] = at[i] < SCRATCH    ? (NUMBER *)views[at[i]].buf + start
                            : at[i] < CONSTANT ? scratch + (at[i] - SCRATCH) * block
                                               : numbers + (at[i] - CONSTANT);
            NUMBER *r = places[1];
            const NUMBER *a = places[2], *b = places[3], *c = places[4];
            switch (at[0]) {
                BINARY(add, x + y)
                BINARY(subtract, x - y)
                BINARY(multiply, x *y)
                BINARY(divide, x / y)
                BINARY(maximum, x > y || x != x ? x : y)
                BINARY(minimum, x < y || x != x ? x : y)
                BINARY(greater, x > y)
                BINARY(less, x < y)
                UNARY(negative, -x)
                UNARY(square, x *x)
                UNARY(sqrt, SQRT(x))
                UNARY(absolute, ABSOLUTE(x))
                UNARY(sign, x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x)
            case op_positive:
                if (at[2] < CONSTANT) {
                    LOOP(a[i], 0, 0, x)
                } else {
                    const NUMBER number = a[0];
                    LOOP(number, 0, 0, x)
                }
                TERNARY(where, x != 0 ? y : z)
                TERNARY(multiply_add, x *y + z)
                TERNARY(multiply_subtract, x *y - z)
                TERNARY(subtract_product, z - x * y)
            }
        }
    }
}

#undef LOOP
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NUMBER
#undef RUN
#undef SQRT
#undef ABSOLUTE
