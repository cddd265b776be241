import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "src/api"] },
  ...tseslint.configs.strict,
  a11y.flatConfigs.recommended,
  {
    plugins: { "react-hooks": hooks },
    rules: {
      ...hooks.configs.recommended.rules,
      // The words of a label come from <Trans>, deeper than the rule looks by itself.
      "jsx-a11y/label-has-associated-control": ["error", { assert: "either", depth: 4, controlComponents: [], labelComponents: [], labelAttributes: [] , }],
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
